//! The frames of a WebSocket, RFC 6455 5, as far as XMPP over it (RFC 7395) needs them: what a client sends is unmasked as
//! it comes, what we send gets a header in front. Nothing is kept but where in a frame the reader is.
//!
//! Frames are ours and not a library's since the fan-out puts headers in front of bytes it has written once, and since an
//! idle connection is to keep no buffers.

use super::error::StreamError;

/// The subprotocol, RFC 7395.
pub const PROTOCOL: &str = "xmpp";

/// Longest contents of a control frame (RFC 6455 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// What a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A piece of a message, unmasked.
    Text(Vec<u8>),
    /// The message is whole.
    End,
    /// Asks for a pong with the same contents.
    Ping(Vec<u8>),
    /// The other side closes; nothing follows.
    Close,
}

/// Reads frames.
#[derive(Debug, Default)]
pub struct Frames {
    /// A header that is not whole yet.
    header: Vec<u8>,
    frame: Option<Open>,
    /// Contents of a control frame that is not whole yet.
    control: Vec<u8>,
    /// Pieces of a message have come, its end has not.
    in_message: bool,
    closed: bool,
}

/// A frame whose contents come.
#[derive(Debug, Clone, Copy)]
struct Open {
    kind: u8,
    is_last: bool,
    mask: [u8; 4],
    taken: u64,
    length: u64,
}

impl Frames {
    /// Takes bytes from the front of `input` until there is something to tell; `None` when more bytes are needed.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, StreamError> {
        while !self.closed {
            let open = match self.frame {
                Some(open) => open,
                None => match self.header(input)? {
                    Some(open) => *self.frame.insert(open),
                    None => return Ok(None),
                },
            };
            let now = usize::try_from(open.length - open.taken).unwrap_or(usize::MAX).min(input.len());
            if now == 0 && open.taken < open.length {
                return Ok(None);
            }
            let (masked, rest) = input.split_at(now);
            *input = rest;
            let piece = masked.iter().zip(open.taken..).map(|(byte, at)| byte ^ open.mask[(at % 4) as usize]);
            let open = Open { taken: open.taken + now as u64, ..open };
            let is_whole = open.taken == open.length;
            self.frame = Some(open).filter(|_| !is_whole);
            if open.kind >= CLOSE {
                self.control.extend(piece);
                match self.controlled(open.kind, is_whole) {
                    Some(frame) => return Ok(Some(frame)),
                    None => continue,
                }
            }
            let piece: Vec<u8> = piece.collect();
            self.in_message = !(is_whole && open.is_last);
            if !piece.is_empty() {
                if !self.in_message {
                    // Its end is told next, by an empty rest of the same frame.
                    self.frame = Some(open);
                }
                return Ok(Some(Frame::Text(piece)));
            }
            if !self.in_message {
                return Ok(Some(Frame::End));
            }
        }
        *input = &[];
        Ok(None)
    }

    fn controlled(&mut self, kind: u8, is_whole: bool) -> Option<Frame> {
        let contents = is_whole.then(|| std::mem::take(&mut self.control))?;
        match kind {
            PING => Some(Frame::Ping(contents)),
            CLOSE => {
                self.closed = true;
                Some(Frame::Close)
            }
            _ => None, // a pong is an answer, and nothing was asked
        }
    }

    /// RFC 6455 5.2.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Open>, StreamError> {
        while self.header.len() < self.header_bytes() {
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            self.header.push(*byte);
            *input = rest;
        }
        let header = std::mem::take(&mut self.header);
        let (kind, is_last) = (header[0] & 0x0f, header[0] & 0x80 != 0);
        let (lengths, mask) = header[2..].split_at(header.len() - 6);
        let length = match lengths {
            [] => u64::from(header[1] & 0x7f),
            lengths => lengths.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let fine = match kind {
            TEXT => !self.in_message,
            CONTINUATION => self.in_message,
            CLOSE | PING | PONG => is_last && length <= CONTROL_BYTES_MAX,
            // RFC 7395: data frames are text.
            _ => false,
        };
        // No extension was agreed on, and clients mask (RFC 6455 5.1).
        if !fine || header[0] & 0x70 != 0 || header[1] & 0x80 == 0 {
            return Err(StreamError::new("bad-format", "the WebSocket frames are wrong"));
        }
        let mask = mask.try_into().unwrap_or_default();
        Ok(Some(Open { kind, is_last, mask, taken: 0, length }))
    }

    /// Bytes of the header, as far as it is known: mask and all.
    fn header_bytes(&self) -> usize {
        match self.header.get(1).map(|second| second & 0x7f) {
            Some(126) => 8,
            Some(127) => 14,
            _ => 6,
        }
    }
}

/// Puts the header of a text frame in front of what `out` has from `start` on.
pub fn put_header(start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start;
    let mut header = [0x80 | TEXT, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let header_bytes = match length {
        0..=125 => {
            header[1] = length as u8;
            2
        }
        126..=0xffff => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(length as u64).to_be_bytes());
            10
        }
    };
    out.splice(start..start, header[..header_bytes].iter().copied());
}

/// A text frame.
pub fn text(contents: &[u8]) -> Vec<u8> {
    let mut frame = contents.to_vec();
    put_header(0, &mut frame);
    frame
}

/// The answer to a ping, whose contents are short.
pub fn pong(contents: &[u8]) -> Vec<u8> {
    [&[0x80 | PONG, contents.len() as u8][..], contents].concat()
}

/// The last frame: all is well (RFC 6455 7.4.1, status 1000).
pub const GOODBYE: &[u8] = &[0x80 | CLOSE, 2, 0x03, 0xe8];

#[cfg(test)]
mod tests;
