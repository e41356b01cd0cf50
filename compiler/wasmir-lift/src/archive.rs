//! The objects of an archive.

use std::io::Cursor;
use wasmir::archive::{self, ArchiveError};

/// A WebAssembly file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name; what is not UTF-8 in it is replaced.
    pub name: String,
    /// Its contents.
    pub bytes: &'a [u8],
}

/// The WebAssembly files in an archive, in order; other members are passed over.
///
/// # Errors
/// If the bytes are no archive with contents, or are damaged.
///
/// ```
/// let mut archive = wasmir::archive::MAGIC.to_vec();
/// for (name, contents) in [("a.o/", b"\0asm\x01\0\0\0"), ("notes/", b"nothing.")] {
///     archive.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, 8).bytes());
///     archive.extend(contents);
/// }
/// let members = wasmir_lift::archive_members(&archive)?;
/// assert_eq!(members.len(), 1);
/// assert_eq!(members[0].name, "a.o");
/// # Ok::<(), wasmir::archive::ArchiveError>(())
/// ```
pub fn archive_members(bytes: &[u8]) -> Result<Vec<Member<'_>>, ArchiveError> {
    let entries = archive::entries(Cursor::new(bytes))?;
    let members = entries.into_iter().map(|entry| Member {
        name: entry.name,
        // Within the bytes, so within what can be addressed.
        bytes: &bytes[entry.range.start as usize..entry.range.end as usize],
    });
    Ok(members
        .filter(|member| member.bytes.starts_with(b"\0asm"))
        .collect())
}
