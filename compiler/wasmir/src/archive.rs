//! Archives (`.a`, `.rlib`), in the format of `ar`: where their members lie.
//!
//! An archive is a magic string and members, each behind a header of sixty bytes of text. Both dialects are read: GNU's, where a name
//! ends in `/` and a long one lies in a member `//`, and BSD's, where a long name stands before the contents. The tables of names
//! and the indices of symbols are no members to who asks: whoever links reads the symbols of the objects themselves.
//!
//! # Cost
//! One pass over the headers; of the contents only the table of names and BSD's long names are read.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// The first bytes of an archive.
pub const MAGIC: &[u8; 8] = b"!<arch>\n";

/// The first bytes of an archive that only names files.
const THIN_MAGIC: &[u8; 8] = b"!<thin>\n";

/// The bytes of a header.
const HEADER: u64 = 60;

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; what is not UTF-8 in it is replaced.
    pub name: String,
    /// Where its contents are, in bytes from the start of the archive; always within it.
    pub range: Range<u64>,
}

/// Why something is not an archive that can be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It does not begin as an archive does.
    NotArchive,
    /// The archive has no contents, only the names of files.
    Thin,
    /// A header or name makes no sense, or the archive breaks off.
    Malformed {
        /// Where, in bytes from the start.
        offset: u64,
    },
    /// Reading failed.
    Read(io::Error),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArchiveError::NotArchive => f.write_str("not an archive"),
            ArchiveError::Thin => f.write_str(
                "a thin archive, which has no objects in it\n\
                 help: `ar` without `--thin` makes an archive with contents",
            ),
            ArchiveError::Malformed { offset } => {
                write!(f, "malformed archive at offset {offset:#x}")
            }
            ArchiveError::Read(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ArchiveError::Read(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> ArchiveError {
        ArchiveError::Read(error)
    }
}

/// The members of an archive, in order.
///
/// # Errors
/// If `source` cannot be read, is no archive with contents, or is damaged.
///
/// ```
/// let mut bytes = wasmir::archive::MAGIC.to_vec();
/// bytes.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "a.o/", 0, 0, 0, 644, 8).bytes());
/// bytes.extend(b"\0asm\x01\0\0\0");
/// let members = wasmir::archive::entries(std::io::Cursor::new(&bytes))?;
/// assert_eq!((members[0].name.as_str(), members[0].range.clone()), ("a.o", 68..76));
/// # Ok::<(), wasmir::archive::ArchiveError>(())
/// ```
pub fn entries(mut source: impl Read + Seek) -> Result<Vec<Entry>, ArchiveError> {
    let len = source.seek(SeekFrom::End(0))?;
    if len < MAGIC.len() as u64 {
        return Err(ArchiveError::NotArchive);
    }
    match &read::<8>(&mut source, 0)? {
        MAGIC => {}
        THIN_MAGIC => return Err(ArchiveError::Thin),
        _ => return Err(ArchiveError::NotArchive),
    }
    let (mut members, mut names) = (Vec::new(), Vec::new());
    let mut at = MAGIC.len() as u64;
    while at < len {
        let malformed = || ArchiveError::Malformed { offset: at };
        if len - at < HEADER {
            return Err(malformed());
        }
        let header: [u8; HEADER as usize] = read(&mut source, at)?;
        if &header[58..] != b"`\n" {
            return Err(malformed());
        }
        let start = at + HEADER;
        let size = number(&header[48..58]).ok_or_else(malformed)?;
        if size > len - start {
            return Err(malformed());
        }
        let range = start..start + size;
        match header[..16].trim_ascii_end() {
            b"//" => names = read_range(&mut source, &range)?,
            b"/" | b"/SYM64/" => {}
            field => {
                if let Some(name) = field.strip_prefix(b"#1/") {
                    let name = number(name).filter(|name| *name <= size);
                    let contents = start + name.ok_or_else(malformed)?;
                    let name = read_range(&mut source, &(start..contents))?;
                    let end = name.iter().position(|byte| *byte == 0);
                    let name = &name[..end.unwrap_or(name.len())];
                    add(&mut members, name, contents..range.end);
                } else {
                    let name = named(field, &names).ok_or_else(malformed)?;
                    add(&mut members, name, range.clone());
                }
            }
        }
        // Members begin at even places; the last one may lack the byte that fills up.
        at = range.end.next_multiple_of(2);
    }
    Ok(members)
}

/// Adds a member, if it is not BSD's index of symbols.
fn add(members: &mut Vec<Entry>, name: &[u8], range: Range<u64>) {
    if !name.starts_with(b"__.SYMDEF") {
        let name = String::from_utf8_lossy(name).into_owned();
        members.push(Entry { name, range });
    }
}

/// The name that a header's field stands for in GNU's dialect.
fn named<'a>(field: &'a [u8], names: &'a [u8]) -> Option<&'a [u8]> {
    let name = match field.strip_prefix(b"/") {
        Some(offset) => {
            let name = names.get(usize::try_from(number(offset)?).ok()?..)?;
            let end = name.iter().position(|byte| matches!(byte, b'\n' | 0))?;
            &name[..end]
        }
        None => field,
    };
    Some(name.strip_suffix(b"/").unwrap_or(name))
}

/// A decimal number, filled up with spaces.
fn number(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    // `parse` would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn read<const N: usize>(source: &mut (impl Read + Seek), offset: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.seek(SeekFrom::Start(offset))?;
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Reads a range that lies within the source.
///
/// # Errors
/// If reading fails, or the source has become shorter.
pub fn read_range(source: &mut (impl Read + Seek), range: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    source.seek(SeekFrom::Start(range.start))?;
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const WASM: &[u8] = b"\0asm\x01\0\0\0";

    fn member(out: &mut Vec<u8>, name: &str, contents: &[u8]) {
        let size = contents.len();
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
        out.extend(header.bytes());
        out.extend(contents);
        if size % 2 == 1 {
            out.push(b'\n');
        }
    }

    /// The names, as long as the contents are what was put in.
    fn names(archive: &[u8]) -> Result<Vec<String>, ArchiveError> {
        let members = entries(Cursor::new(archive))?;
        let contents = |e: &Entry| &archive[e.range.start as usize..e.range.end as usize];
        assert!(members.iter().all(|e| contents(e).starts_with(WASM)));
        Ok(members.into_iter().map(|member| member.name).collect())
    }

    #[test]
    fn gnu_names() {
        let mut archive = MAGIC.to_vec();
        member(&mut archive, "/", b"index of symbols");
        member(
            &mut archive,
            "//",
            b"first-of-the-long-names.o/\na name with spaces.o/\n",
        );
        member(&mut archive, "short.o/", WASM);
        member(&mut archive, "/0", WASM);
        member(&mut archive, "/27", &[WASM, b"!"].concat());
        let expected = [
            "short.o",
            "first-of-the-long-names.o",
            "a name with spaces.o",
        ];
        assert_eq!(names(&archive).expect("an archive"), expected);
    }

    #[test]
    fn bsd_names() {
        let mut archive = MAGIC.to_vec();
        member(&mut archive, "__.SYMDEF", b"index");
        member(&mut archive, "short.o", WASM);
        member(
            &mut archive,
            "#1/20",
            &[b"a-long-name.o\0\0\0\0\0\0\0", WASM].concat(),
        );
        assert_eq!(
            names(&archive).expect("an archive"),
            ["short.o", "a-long-name.o"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(matches!(names(b""), Err(ArchiveError::NotArchive)));
        assert!(matches!(names(b"!<arch>"), Err(ArchiveError::NotArchive)));
        assert!(matches!(names(b"!<thin>\n"), Err(ArchiveError::Thin)));
        assert!(names(MAGIC).is_ok_and(|names| names.is_empty()));
        let mut whole = MAGIC.to_vec();
        member(&mut whole, "a.o/", WASM);
        member(&mut whole, "b.o/", WASM);
        for end in MAGIC.len() + 1..whole.len() {
            let found = names(&whole[..end]);
            if end == whole.len() - HEADER as usize - WASM.len() {
                assert_eq!(found.expect("an archive"), ["a.o"], "{end}");
            } else {
                assert!(
                    matches!(found, Err(ArchiveError::Malformed { .. })),
                    "{end}"
                );
            }
        }
        for (field, contents) in [("/7", WASM), ("#1/9", WASM), ("#1/+1", WASM)] {
            let mut archive = MAGIC.to_vec();
            member(&mut archive, field, contents);
            let found = names(&archive);
            assert!(
                matches!(found, Err(ArchiveError::Malformed { .. })),
                "{field}"
            );
        }
    }
}
