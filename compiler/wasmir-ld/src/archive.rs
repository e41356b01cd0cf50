//! Archives (`.a`, `.rlib`): their members, read one by one.
//!
//! The GNU and BSD forms of long names are understood. Members that no linker looks into (the index, the table of names, an
//! rlib's metadata) are passed over without being read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const MAGIC: &[u8; 8] = b"!<arch>\n";

/// The member of an rlib that holds the crate's metadata.
const METADATA: &str = "lib.rmeta";

/// A file in an archive.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// Whether `path` is an archive, by its first bytes.
pub(crate) fn is_archive(path: &Path) -> io::Result<bool> {
    let mut magic = [0; 8];
    match File::open(path)?.read_exact(&mut magic) {
        Ok(()) => Ok(&magic == MAGIC),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads the members of an archive in order.
///
/// # Errors
/// If the file cannot be read or is not an archive.
pub fn read(path: &Path) -> io::Result<Vec<Member>> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut magic = [0; 8];
    file.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(bad("not an archive"));
    }
    let mut members = Vec::new();
    let mut names = Vec::new();
    let mut position = 8;
    while position + 60 <= len {
        file.seek(SeekFrom::Start(position))?;
        let mut header = [0; 60];
        file.read_exact(&mut header)?;
        if &header[58..] != b"`\n" {
            return Err(bad("a member without its header"));
        }
        let size = number(&header[48..58]).ok_or_else(|| bad("a member without a size"))?;
        let (start, end) = (position + 60, position + 60 + size);
        if end > len {
            return Err(bad("a member that breaks off"));
        }
        position = end.next_multiple_of(2);
        let mut contents = |skip: u64| -> io::Result<Vec<u8>> {
            file.seek(SeekFrom::Start(start + skip))?;
            let mut bytes = vec![0; (size - skip) as usize];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let name = String::from_utf8_lossy(&header[..16]).trim_end().to_owned();
        let (name, skip) = match name.as_str() {
            "/" | "/SYM64/" => continue,
            "//" => {
                names = contents(0)?;
                continue;
            }
            long if long.starts_with("#1/") => {
                let len: u64 = long[3..].parse().map_err(|_| bad("a malformed name"))?;
                if len > size {
                    return Err(bad("a name that breaks off"));
                }
                let mut name = contents(0)?;
                name.truncate(len as usize);
                let name = String::from_utf8_lossy(&name);
                (name.trim_end_matches('\0').to_owned(), len)
            }
            long if long.starts_with('/') => {
                let offset: usize = long[1..].parse().map_err(|_| bad("a malformed name"))?;
                let rest = names.get(offset..).ok_or_else(|| bad("a missing name"))?;
                let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                let name = String::from_utf8_lossy(&rest[..end]);
                (name.trim_end_matches('/').to_owned(), 0)
            }
            short => (short.trim_end_matches('/').to_owned(), 0),
        };
        if name == METADATA || name.starts_with("__.SYMDEF") {
            continue;
        }
        let bytes = contents(skip)?;
        members.push(Member { name, bytes });
    }
    Ok(members)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn bad(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("malformed archive: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, contents: &[u8]) -> Vec<u8> {
        let mut out = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            0,
            0,
            0,
            644,
            contents.len()
        )
        .into_bytes();
        out.extend_from_slice(contents);
        if contents.len() % 2 == 1 {
            out.push(b'\n');
        }
        out
    }

    #[test]
    fn names_of_every_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.a");
        let mut bytes = MAGIC.to_vec();
        bytes.extend(member("/", b"index"));
        bytes.extend(member(
            "//",
            b"a-long-name-of-a-member.o/\nanother-long-name.o/\n",
        ));
        bytes.extend(member("short.o/", b"1"));
        bytes.extend(member("/0", b"22"));
        bytes.extend(member("/27", b"333"));
        bytes.extend(member("#1/8", b"bsd.o\0\0\0rest"));
        bytes.extend(member("lib.rmeta/", b"metadata"));
        std::fs::write(&path, &bytes).unwrap();
        assert!(is_archive(&path).unwrap());
        let found: Vec<(String, Vec<u8>)> = read(&path)
            .unwrap()
            .into_iter()
            .map(|m| (m.name, m.bytes))
            .collect();
        let expected = [
            ("short.o", &b"1"[..]),
            ("a-long-name-of-a-member.o", b"22"),
            ("another-long-name.o", b"333"),
            ("bsd.o", b"rest"),
        ];
        assert_eq!(
            found,
            expected.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
        );
    }

    #[test]
    fn damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.a");
        let mut bytes = MAGIC.to_vec();
        bytes.extend(member("x.o/", b"contents"));
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read(&path).is_err());
        bytes[8 + 48] = b'x';
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path).is_err());
        std::fs::write(&path, b"short").unwrap();
        assert!(!is_archive(&path).unwrap());
    }
}
