//! The examples of RFC 5802 and RFC 7677, both sides against each other, and what must be refused.

use super::*;
use base64::prelude::{BASE64_STANDARD, Engine};

const SECRET: &[u8] = b"what only this server knows";
const EXPORTER: &[u8] = &[7; 32];

fn login(user: &str, password: &str) -> Login {
    Login { user: user.into(), password: password.into(), authzid: None }
}

/// Plays a whole exchange; the accounts are one user with one password.
fn play(server: &mut Server, client: &mut Client, account: (&str, &str)) -> Result<String, Failure> {
    let mut message = client.initial();
    loop {
        let mut step = server.respond(&message);
        if let Step::NeedCredentials { user } = &step {
            let found = (user == account.0).then(|| Credentials::new(account.1, &[1; SALT_BYTES], 64));
            step = server.credentials(found);
        }
        match step {
            Step::Challenge(challenge) => message = client.challenge(&challenge).expect("a proper challenge"),
            Step::Success { user, data, .. } => {
                client.success(&data.unwrap_or_default()).expect("the server proves itself");
                return Ok(user);
            }
            Step::Failed(failure) => return Err(failure),
            other => panic!("{other:?} is not for SCRAM or PLAIN"),
        }
    }
}

/// RFC 5802 section 5: user, pencil.
#[test]
fn rfc5802_s5_scram_sha_1_exchange() {
    let salt = BASE64_STANDARD.decode("QSXCR+Q6sek8bf92").unwrap();
    let mut server = Server::new(Mechanism::ScramSha1, None, "3rfcNHYJY1ZVvWVs7j", SECRET);
    let first = b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
    assert_eq!(server.respond(first), Step::NeedCredentials { user: "user".into() });
    let challenge = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    assert_eq!(server.credentials(Some(Credentials::new("pencil", &salt, 4096))), Step::Challenge(challenge.to_vec()));
    let proof = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    let data = b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=";
    let success = Step::Success { user: "user".into(), authzid: None, data: Some(data.to_vec()) };
    assert_eq!(server.respond(proof), success);

    let mut client =
        Client::new(Mechanism::ScramSha1, login("user", "pencil"), None, false, "fyko+d2lbbFgONRv9qkxdawL");
    assert_eq!(client.initial(), first);
    assert_eq!(client.challenge(challenge), Ok(proof.to_vec()));
    assert_eq!(client.success(data), Ok(()));
}

/// Who was taken over with keys for SCRAM-SHA-1 alone logs in by that and by PLAIN; by SCRAM-SHA-256 as little as nobody does.
#[test]
fn keys_for_scram_sha_1_alone_are_enough_for_it() {
    let alone = || Credentials { sha256: None, ..Credentials::new("pencil", &[1; SALT_BYTES], 64) };
    assert!(alone().verify_password("pencil") && !alone().verify_password("pen"));
    for (mechanism, gets_in) in
        [(Mechanism::ScramSha1, true), (Mechanism::Plain, true), (Mechanism::ScramSha256, false)]
    {
        let mut server = Server::new(mechanism, None, "server", SECRET);
        let mut client = Client::new(mechanism, login("user", "pencil"), None, false, "client");
        let mut step = server.respond(&client.initial());
        if let Step::NeedCredentials { .. } = step {
            step = server.credentials(Some(alone()));
        }
        if let Step::Challenge(challenge) = step {
            step = server.respond(&client.challenge(&challenge).expect("a proper challenge"));
        }
        assert_eq!(matches!(step, Step::Success { .. }), gets_in, "{mechanism:?}: {step:?}");
    }
}

/// RFC 7677 section 3: the same with SHA-256.
#[test]
fn rfc7677_s3_scram_sha_256_exchange() {
    let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let mut server = Server::new(Mechanism::ScramSha256, None, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", SECRET);
    let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    assert_eq!(server.respond(first), Step::NeedCredentials { user: "user".into() });
    let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(server.credentials(Some(Credentials::new("pencil", &salt, 4096))), Step::Challenge(challenge.to_vec()));
    let proof = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                  p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let data = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    let success = Step::Success { user: "user".into(), authzid: None, data: Some(data.to_vec()) };
    assert_eq!(server.respond(proof), success);

    let mut client = Client::new(Mechanism::ScramSha256, login("user", "pencil"), None, false, "rOprNGfwEbeRWgbNEkqO");
    assert_eq!(client.initial(), first);
    assert_eq!(client.challenge(challenge), Ok(proof.to_vec()));
    assert_eq!(client.success(data), Ok(()));
}

#[test]
fn every_mechanism_lets_the_right_password_in_and_no_other() {
    for mechanism in Mechanism::ALL.into_iter().filter(|m| *m != Mechanism::External) {
        for (user, password, expected) in [
            ("romeo", "R0m30, =x", Ok("romeo".to_owned())),
            ("romeo", "r0m30", Err(Failure::NotAuthorized)),
            ("tybalt", "R0m30, =x", Err(Failure::NotAuthorized)),
        ] {
            let mut server = Server::new(mechanism, Some(EXPORTER), "server", SECRET);
            let mut client = Client::new(mechanism, login(user, password), Some(EXPORTER), true, "client");
            assert_eq!(play(&mut server, &mut client, ("romeo", "R0m30, =x")), expected, "{mechanism:?}");
        }
    }
}

/// RFC 5802 section 5.1: commas and equal signs in names.
#[test]
fn rfc5802_s5_1_names_with_commas() {
    let mut server = Server::new(Mechanism::ScramSha256, None, "server", SECRET);
    let mut client = Client::new(Mechanism::ScramSha256, login("a,b=c", "x"), None, false, "client");
    assert_eq!(play(&mut server, &mut client, ("a,b=c", "x")), Ok("a,b=c".into()));
    let mut server = Server::new(Mechanism::ScramSha256, None, "server", SECRET);
    assert_eq!(server.respond(b"n,,n=a=2cb,r=x"), Step::Failed(Failure::MalformedRequest));
}

/// RFC 5802 section 6: `y` where -PLUS was offered means that someone took it out of the list.
#[test]
fn rfc5802_s6_a_downgrade_is_noticed() {
    let first = b"y,,n=romeo,r=client";
    let mut offered = Server::new(Mechanism::ScramSha256, Some(EXPORTER), "server", SECRET);
    assert_eq!(offered.respond(first), Step::Failed(Failure::NotAuthorized));
    let mut not_offered = Server::new(Mechanism::ScramSha256, None, "server", SECRET);
    assert_eq!(not_offered.respond(first), Step::NeedCredentials { user: "romeo".into() });
    let mut ordinary = Server::new(Mechanism::ScramSha256, Some(EXPORTER), "server", SECRET);
    assert_eq!(ordinary.respond(b"n,,n=romeo,r=client"), Step::NeedCredentials { user: "romeo".into() });
}

/// RFC 5802 section 6: another channel, another type, or none where one was promised.
#[test]
fn rfc5802_s6_the_channel_must_be_the_same() {
    let mut server = Server::new(Mechanism::ScramSha256Plus, Some(EXPORTER), "server", SECRET);
    let mut client = Client::new(Mechanism::ScramSha256Plus, login("romeo", "x"), Some(&[8; 32]), true, "client");
    assert_eq!(play(&mut server, &mut client, ("romeo", "x")), Err(Failure::NotAuthorized));
    for (mechanism, first, failure) in [
        (Mechanism::ScramSha256Plus, "p=tls-unique,,n=romeo,r=x", Failure::NotAuthorized),
        (Mechanism::ScramSha256Plus, "n,,n=romeo,r=x", Failure::MalformedRequest),
        (Mechanism::ScramSha256, "p=tls-exporter,,n=romeo,r=x", Failure::MalformedRequest),
    ] {
        let mut server = Server::new(mechanism, Some(EXPORTER), "server", SECRET);
        assert_eq!(server.respond(first.as_bytes()), Step::Failed(failure), "{first}");
    }
}

#[test]
fn broken_messages_are_malformed() {
    for first in ["", "n", "n,", "n,,", "n,,n=,r=x", "n,,n=romeo", "n,,n=romeo,r=", "x,,n=romeo,r=x", "n,,m=1,n=r,r=x"]
    {
        let mut server = Server::new(Mechanism::ScramSha1, None, "server", SECRET);
        assert_eq!(server.respond(first.as_bytes()), Step::Failed(Failure::MalformedRequest), "{first}");
    }
    for first in ["", "\0romeo", "\0romeo\0", "\0\0x", "\0romeo\0x\0y"] {
        let mut server = Server::new(Mechanism::Plain, None, "server", SECRET);
        assert_eq!(server.respond(first.as_bytes()), Step::Failed(Failure::MalformedRequest), "{first:?}");
    }
    let mut server = Server::new(Mechanism::Plain, None, "server", SECRET);
    assert_eq!(server.respond(&[b'a'; MESSAGE_BYTES_MAX + 1]), Step::Failed(Failure::MalformedRequest));
}

/// RFC 5802 section 7: whoever asks for an account twice must not see that it does not exist.
#[test]
fn rfc5802_s7_invented_credentials_are_constant_and_differ_by_user() {
    let fake = Credentials::fake(SECRET, "mercutio");
    assert_eq!(fake, Credentials::fake(SECRET, "mercutio"));
    assert_ne!(fake.sha1.salt, Credentials::fake(SECRET, "benvolio").sha1.salt);
    assert_ne!(fake.sha1.salt, Credentials::fake(b"another server", "mercutio").sha1.salt);
    let sha256 = fake.sha256.expect("both");
    assert_eq!((&sha256.salt, sha256.salt.len(), sha256.iterations), (&fake.sha1.salt, SALT_BYTES, ITERATIONS));
    assert_eq!((fake.sha1.stored_key.len(), sha256.stored_key.len()), (20, 32));
}

/// RFC 4013 section 3: ª is a, the soft hyphen is nothing; and what it refuses still lets its owner in.
#[test]
fn rfc4013_s3_passwords_are_prepared() {
    assert!(Credentials::new("I\u{ad}X", b"salt", 1).verify_password("IX"));
    assert!(Credentials::new("\u{aa}", b"salt", 1).verify_password("a"));
    assert!(Credentials::new("🧙", b"salt", 1).verify_password("🧙"));
    assert!(!Credentials::new("IX", b"salt", 1).verify_password("ix"));
}

/// RFC 5802 section 5: a server that only repeats the nonce, or signs with another key, is none.
#[test]
fn rfc5802_s5_1_the_server_must_prove_itself() {
    let client = || {
        let mut client = Client::new(Mechanism::ScramSha256, login("romeo", "x"), None, false, "client");
        client.initial();
        client
    };
    assert_eq!(client().challenge(b"r=client,s=c2FsdA==,i=1"), Err(ClientError::ServerNotAuthentic));
    assert_eq!(client().challenge(b"r=other1,s=c2FsdA==,i=1"), Err(ClientError::ServerNotAuthentic));
    assert_eq!(client().challenge(b"r=client1,s=c2FsdA==,i=4000000000"), Err(ClientError::Malformed));
    assert_eq!(client().success(b""), Err(ClientError::ServerNotAuthentic));
    let mut proved = client();
    assert!(proved.challenge(b"r=client1,s=c2FsdA==,i=1").is_ok());
    assert_eq!(proved.success(b"v=AAAA"), Err(ClientError::ServerNotAuthentic));
}

#[test]
fn the_strongest_usable_mechanism_is_chosen() {
    let offered = ["PLAIN", "SCRAM-SHA-1", "X-OAUTH2", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL"];
    let romeo = login("romeo", "x");
    assert_eq!(Client::choose(offered, &romeo, Some(EXPORTER), true), Ok(Mechanism::ScramSha256Plus));
    assert_eq!(Client::choose(offered, &romeo, None, true), Ok(Mechanism::ScramSha256));
    assert_eq!(Client::choose(["PLAIN"], &romeo, None, false), Err(ClientError::NoMechanism));
    assert_eq!(Client::choose(["PLAIN"], &romeo, None, true), Ok(Mechanism::Plain));
    assert_eq!(Client::choose(offered, &Login::default(), None, true), Ok(Mechanism::External));
}
