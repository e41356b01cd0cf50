//! What a typed message looks like on the channel.
//!
//! | byte 0 | then | meaning |
//! |---|---|---|
//! | 0 | MessagePack | a message |
//! | 1 | id: u64 LE, length of the method: u16 LE, method, MessagePack | a request |
//! | 2 | id: u64 LE, MessagePack | its answer |
//! | 3 | id: u64 LE, UTF-8 | its failure |

use crate::{Error, Result};

/// A typed message, borrowed from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Message(&'a [u8]),
    Request {
        id: u64,
        method: &'a str,
        params: &'a [u8],
    },
    Answer {
        id: u64,
        result: &'a [u8],
    },
    Failure {
        id: u64,
        reason: &'a str,
    },
}

fn malformed(reason: &str) -> Error {
    Error::Codec {
        codec: "rpc frame",
        reason: reason.into(),
    }
}

impl<'a> Frame<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (&kind, rest) = bytes
            .split_first()
            .ok_or_else(|| malformed("it is empty"))?;
        if kind == 0 {
            return Ok(Self::Message(rest));
        }
        let (id, rest) = rest
            .split_first_chunk::<8>()
            .ok_or_else(|| malformed("its id is cut off"))?;
        let id = u64::from_le_bytes(*id);
        let text =
            |bytes| std::str::from_utf8(bytes).map_err(|_| malformed("its text is not UTF-8"));
        match kind {
            1 => {
                let (len, rest) = rest
                    .split_first_chunk::<2>()
                    .ok_or_else(|| malformed("its method is cut off"))?;
                let len = usize::from(u16::from_le_bytes(*len));
                let (method, params) = rest
                    .split_at_checked(len)
                    .ok_or_else(|| malformed("its method is cut off"))?;
                Ok(Self::Request {
                    id,
                    method: text(method)?,
                    params,
                })
            }
            2 => Ok(Self::Answer { id, result: rest }),
            3 => Ok(Self::Failure {
                id,
                reason: text(rest)?,
            }),
            _ => Err(malformed("its kind is unknown")),
        }
    }

    pub(super) fn write(self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::Message(message) => {
                bytes.push(0);
                bytes.extend_from_slice(message);
            }
            Self::Request { id, method, params } => {
                let len = u16::try_from(method.len())
                    .map_err(|_| malformed("its method's name is too long"))?;
                bytes.push(1);
                bytes.extend_from_slice(&id.to_le_bytes());
                bytes.extend_from_slice(&len.to_le_bytes());
                bytes.extend_from_slice(method.as_bytes());
                bytes.extend_from_slice(params);
            }
            Self::Answer { id, result } => {
                bytes.push(2);
                bytes.extend_from_slice(&id.to_le_bytes());
                bytes.extend_from_slice(result);
            }
            Self::Failure { id, reason } => {
                bytes.push(3);
                bytes.extend_from_slice(&id.to_le_bytes());
                bytes.extend_from_slice(reason.as_bytes());
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn frames_read_back_as_written_and_every_cut_is_an_error_or_a_frame() {
        let frames = [
            Frame::Message(b"hello"),
            Frame::Request {
                id: 7,
                method: "add",
                params: b"\x01\x02",
            },
            Frame::Answer {
                id: u64::MAX,
                result: b"",
            },
            Frame::Failure {
                id: 0,
                reason: "no",
            },
        ];
        for frame in frames {
            let bytes = frame.write().expect("a short frame");
            assert_eq!(Frame::parse(&bytes).expect("what was written"), frame);
            for cut in 0..bytes.len() {
                // Whatever it is, it does not panic.
                let _ = Frame::parse(&bytes[..cut]);
            }
        }
        assert!(Frame::parse(&[]).is_err());
        assert!(Frame::parse(&[9; 20]).is_err());
        assert!(Frame::parse(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]).is_err());
    }
}
