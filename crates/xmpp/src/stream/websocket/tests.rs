//! RFC 6455 5: frames as its examples have them, cut anywhere, and wrong ones.

use super::*;
use proptest::prelude::*;

/// As a client sends it.
fn masked(first: u8, contents: &[u8]) -> Vec<u8> {
    let mut frame = contents.to_vec();
    put_header(0, &mut frame);
    frame[0] = first;
    frame[1] |= 0x80;
    let header = frame.len() - contents.len();
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let body: Vec<u8> = contents.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
    [&frame[..header], &mask, &body].concat()
}

fn read(frames: &mut Frames, mut input: &[u8]) -> Result<Vec<Frame>, StreamError> {
    let mut read = Vec::new();
    while let Some(frame) = frames.next(&mut input)? {
        read.push(frame);
    }
    assert!(input.is_empty(), "all is taken");
    Ok(read)
}

/// RFC 6455 5.7: a single-frame masked text message, and a ping with the same contents.
#[test]
fn s5_7_examples() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    let mut frames = Frames::default();
    assert_eq!(read(&mut frames, &hello).unwrap(), [Frame::Text(b"Hello".to_vec()), Frame::End]);
    let ping = [0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&mut frames, &ping).unwrap(), [Frame::Ping(b"Hello".to_vec())]);
    assert_eq!(text(b"Hello"), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!(pong(b"Hello"), [0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!(text(&[0; 256])[..4], [0x81, 0x7e, 0x01, 0x00]);
    assert_eq!(text(&[0; 65_536])[..10], [0x81, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn s5_4_a_message_in_pieces_with_a_ping_between_them() {
    let bytes = [masked(0x01, b"Hel"), masked(0x89, b"?"), masked(0x80, b"lo"), masked(0x81, b"")].concat();
    let expected =
        [Frame::Text(b"Hel".to_vec()), Frame::Ping(b"?".to_vec()), Frame::Text(b"lo".to_vec()), Frame::End, Frame::End];
    assert_eq!(read(&mut Frames::default(), &bytes).unwrap(), expected);
}

#[test]
fn s5_wrong_frames_are_refused() {
    for (wrong, why) in [
        (text(b"Hello"), "not masked"),
        (masked(0x82, b"Hello"), "binary"),
        (masked(0xc1, b"Hello"), "an extension's bit"),
        (masked(0x80, b"Hello"), "a continuation of nothing"),
        ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), "a message within another"),
        (masked(0x09, b"Hello"), "a ping in pieces"),
        (masked(0x89, &[0; 126]), "a long ping"),
        (masked(0x83, b""), "a kind that is not known"),
    ] {
        let mut frames = Frames::default();
        let error = read(&mut frames, &wrong).expect_err(why);
        assert_eq!(error.condition, "bad-format", "{why}");
    }
}

#[test]
fn s5_5_1_nothing_is_heard_after_the_end() {
    let bytes = [masked(0x88, &[0x03, 0xe8]), masked(0x81, b"more")].concat();
    assert_eq!(read(&mut Frames::default(), &bytes).unwrap(), [Frame::Close]);
}

proptest! {
    /// However the bytes are cut, the same messages come out.
    #[test]
    fn cutting_changes_nothing(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
        cut in 1usize..40,
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| masked(0x81, message)).collect();
        let mut frames = Frames::default();
        let mut heard = vec![Vec::new()];
        for piece in bytes.chunks(cut) {
            for frame in read(&mut frames, piece).unwrap() {
                match frame {
                    Frame::Text(text) => heard.last_mut().unwrap().extend(text),
                    Frame::End => heard.push(Vec::new()),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
        heard.pop();
        prop_assert_eq!(heard, messages);
    }

    /// No bytes make it panic, and it never keeps more than a header and a control frame.
    #[test]
    fn anything_may_come(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut frames = Frames::default();
        let mut input = bytes.as_slice();
        while let Ok(Some(_)) = frames.next(&mut input) {}
        prop_assert!(frames.header.len() <= 14 && frames.control.len() <= 125);
    }
}
