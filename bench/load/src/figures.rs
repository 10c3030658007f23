//! The message that all benches send, and how figures are shown.

/// Bytes of a message as its sender writes it.
pub const MESSAGE_BYTES: usize = 411;

/// The room that everybody is in.
pub const ROOM: &str = "coven@chat.shakespeare.lit";

/// A message of [`MESSAGE_BYTES`]; its id names the sender, who knows it by that when it comes back.
pub fn message(room: &str, sender: usize, number: usize) -> Vec<u8> {
    let head = format!("<message to='{room}' type='groupchat' id='{}{number:08}'><body>", id_prefix(sender));
    let tail = "</body></message>";
    let body = "x".repeat(MESSAGE_BYTES - head.len() - tail.len());
    format!("{head}{body}{tail}").into_bytes()
}

/// What the ids of a sender's messages begin with.
pub fn id_prefix(sender: usize) -> String {
    format!("from-{sender:04}-")
}

/// The middle of the values in order.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
