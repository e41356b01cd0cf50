//! Archives (`.a`, `.rlib`): their members, read one by one. An rlib's metadata, which no linker looks into, is not read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use wasmir::archive::{ArchiveError, MAGIC, entries, read_range};

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
    let mut magic = [0; MAGIC.len()];
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
    let entries = entries(&mut file).map_err(|error| match error {
        ArchiveError::Read(error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    let members = entries.into_iter().filter(|entry| entry.name != METADATA);
    members
        .map(|entry| {
            let bytes = read_range(&mut file, &entry.range)?;
            let name = entry.name;
            Ok(Member { name, bytes })
        })
        .collect()
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
