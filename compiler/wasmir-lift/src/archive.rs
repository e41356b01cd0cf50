//! Reads archives of objects, in the format of `ar`.
//!
//! An archive is a magic string and members, each behind a header of sixty bytes of text. Both dialects are read: GNU's, where a name
//! ends in `/` and a long one lies in a member `//`, and BSD's, where a long name stands before the contents. Members that are not
//! WebAssembly (indices of symbols, tables of names) are passed over: whoever links reads the symbols of the objects themselves.
//!
//! # Cost
//! One pass over the headers; contents are not copied.

use std::fmt;

/// The first bytes of an archive.
pub const ARCHIVE_MAGIC: &[u8] = b"!<arch>\n";

/// The first bytes of an archive that only names files.
const THIN_MAGIC: &[u8] = b"!<thin>\n";

/// The bytes of a header.
const HEADER: usize = 60;

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name; what is not UTF-8 in it is replaced.
    pub name: String,
    /// Its contents.
    pub bytes: &'a [u8],
}

/// Why bytes are not an archive that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchiveError {
    /// They do not begin as an archive does.
    NotArchive,
    /// The archive has no contents, only the names of files.
    Thin,
    /// A header or name makes no sense, or the archive breaks off.
    Malformed {
        /// Where, in bytes from the start.
        offset: usize,
    },
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
        }
    }
}

impl std::error::Error for ArchiveError {}

/// The WebAssembly files in an archive, in order.
///
/// # Errors
/// If the bytes are no archive with contents, or are damaged.
///
/// ```
/// let mut archive = wasmir_lift::ARCHIVE_MAGIC.to_vec();
/// archive.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "a.o/", 0, 0, 0, 644, 8).bytes());
/// archive.extend(b"\0asm\x01\0\0\0");
/// let members = wasmir_lift::archive_members(&archive)?;
/// assert_eq!(members[0].name, "a.o");
/// # Ok::<(), wasmir_lift::ArchiveError>(())
/// ```
pub fn archive_members(bytes: &[u8]) -> Result<Vec<Member<'_>>, ArchiveError> {
    if bytes.starts_with(THIN_MAGIC) {
        return Err(ArchiveError::Thin);
    }
    if !bytes.starts_with(ARCHIVE_MAGIC) {
        return Err(ArchiveError::NotArchive);
    }
    let (mut members, mut names) = (Vec::new(), &[][..]);
    let mut at = ARCHIVE_MAGIC.len();
    while at < bytes.len() {
        let malformed = ArchiveError::Malformed { offset: at };
        let header = bytes.get(at..at + HEADER).ok_or(malformed)?;
        if &header[58..] != b"`\n" {
            return Err(malformed);
        }
        let size = number(&header[48..58]).ok_or(malformed)?;
        let start = at + HEADER;
        let end = start.checked_add(size).ok_or(malformed)?;
        let contents = bytes.get(start..end).ok_or(malformed)?;
        let field = header[..16].trim_ascii_end();
        if field == b"//" {
            names = contents;
        } else {
            let (name, contents) = named(field, names, contents).ok_or(malformed)?;
            if contents.starts_with(b"\0asm") {
                let name = String::from_utf8_lossy(name).into_owned();
                let bytes = contents;
                members.push(Member { name, bytes });
            }
        }
        // Members begin at even places; the last one may lack the byte that fills up.
        at = end + end % 2;
    }
    Ok(members)
}

/// The name that a header's field stands for, and what of the contents comes behind it.
fn named<'a>(field: &'a [u8], names: &'a [u8], contents: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    if let Some(len) = field.strip_prefix(b"#1/") {
        let (name, rest) = contents.split_at_checked(number(len)?)?;
        let end = name.iter().position(|byte| *byte == 0);
        return Some((&name[..end.unwrap_or(name.len())], rest));
    }
    if let Some(offset) = field
        .strip_prefix(b"/")
        .filter(|rest| rest.first().is_some_and(u8::is_ascii_digit))
    {
        let name = names.get(number(offset)?..)?;
        let end = name.iter().position(|byte| matches!(byte, b'\n' | 0))?;
        let name = &name[..end];
        return Some((name.strip_suffix(b"/").unwrap_or(name), contents));
    }
    Some((field.strip_suffix(b"/").unwrap_or(field), contents))
}

/// A decimal number, filled up with spaces.
fn number(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    // `parse` would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn names(archive: &[u8]) -> Result<Vec<String>, ArchiveError> {
        let members = archive_members(archive)?;
        assert!(members.iter().all(|member| member.bytes.starts_with(WASM)));
        Ok(members.into_iter().map(|member| member.name).collect())
    }

    #[test]
    fn gnu_names() {
        let mut archive = ARCHIVE_MAGIC.to_vec();
        member(&mut archive, "/", b"index of symbols");
        member(
            &mut archive,
            "//",
            b"first-of-the-long-names.o/\na name with spaces.o/\n",
        );
        member(&mut archive, "short.o/", WASM);
        member(&mut archive, "/0", WASM);
        member(&mut archive, "/27", &[WASM, b"!"].concat());
        member(&mut archive, "readme/", b"text");
        let expected = [
            "short.o",
            "first-of-the-long-names.o",
            "a name with spaces.o",
        ];
        assert_eq!(names(&archive).expect("an archive"), expected);
    }

    #[test]
    fn bsd_names() {
        let mut archive = ARCHIVE_MAGIC.to_vec();
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
        assert_eq!(names(b""), Err(ArchiveError::NotArchive));
        assert_eq!(names(b"!<thin>\n"), Err(ArchiveError::Thin));
        assert_eq!(names(ARCHIVE_MAGIC), Ok(Vec::new()));
        let mut whole = ARCHIVE_MAGIC.to_vec();
        member(&mut whole, "a.o/", WASM);
        member(&mut whole, "b.o/", WASM);
        for end in ARCHIVE_MAGIC.len() + 1..whole.len() {
            let found = names(&whole[..end]);
            if end == whole.len() - HEADER - WASM.len() {
                assert_eq!(found, Ok(vec!["a.o".to_owned()]), "{end}");
            } else {
                assert!(
                    matches!(found, Err(ArchiveError::Malformed { .. })),
                    "{end}"
                );
            }
        }
        for (field, contents) in [("/7", WASM), ("#1/9", WASM), ("#1/+1", WASM)] {
            let mut archive = ARCHIVE_MAGIC.to_vec();
            member(&mut archive, field, contents);
            let found = names(&archive);
            assert!(
                matches!(found, Err(ArchiveError::Malformed { .. })),
                "{field}"
            );
        }
    }
}
