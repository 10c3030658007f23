//! Every transcript, on one node and with every user at a site of his own.

use sim::transcript::Transcript;
use sim::transcript::play::{Stage, play};

macro_rules! played {
    ($($name:ident: $file:literal;)*) => {$(
        #[test]
        fn $name() {
            let text = include_str!(concat!("../../../../transcripts/", $file, ".txt"));
            let transcript = Transcript::parse(text).unwrap_or_else(|e| panic!("{}: {e}", $file));
            for stage in Stage::ALL {
                match play(&transcript, stage) {
                    Ok(world) => schema::collect(world.tape.on_links()),
                    Err(difference) => panic!("transcripts/{}.txt: {difference}", $file),
                }
            }
        }
    )*};
}

played! {
    s7_2_entering: "entering";
    s7_14_leaving: "leaving";
    s7_4_messages: "messages";
    s7_5_private_messages: "private-messages";
    s7_6_nick_change: "nick-change";
    s7_7_presence: "presence";
    s16_5_3_presence_broadcast: "presence-broadcast";
    s7_2_14_history: "history";
    s8_1_subject: "subject";
    s8_2_kick: "kick";
    s8_3_voice: "voice";
    s9_1_ban: "ban";
    s10_2_configuration: "configuration";
    s10_9_destroy: "destroy";
    s7_2_8_several_sessions: "several-sessions";
    s6_discovery: "discovery";
    s7_8_invitations: "invitations";
    s7_10_registering: "registering";
    s7_13_voice_requests: "voice-requests";
    s8_5_to_10_8_lists: "lists";
    s10_1_3_reserved_room: "reserved-room";
    xep_0313_archive: "archive";
    xep_0317_hats: "hats";
    xep_0421_0359_ids: "ids";
    xep_0425_moderation: "moderation";
    xep_0437_activity: "activity";
    xep_0463_versions: "versions";
    xep_0486_avatar: "avatar";
}
