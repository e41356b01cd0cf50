//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file so that readers see all of it or what was there before, and makes its folder.
///
/// The bytes go to a new file beside `path`, which then takes its name. A device, a pipe or a socket (`/dev/null`,
/// `/dev/stdout`) is written to instead: taking its name would remove it from the system. What a symbolic link refers to
/// is replaced, and the link stays.
///
/// # Errors
/// If the folder or the file cannot be written.
///
/// # Examples
/// ```
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("made/app.wasm");
/// wasm_toolchain::write_whole(&file, b"\0asm")?;
/// assert_eq!(std::fs::read(&file)?, b"\0asm");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let followed = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&followed).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return fs::OpenOptions::new()
            .write(true)
            .open(&followed)?
            .write_all(bytes);
    }
    let folder = followed
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    share(&file)?;
    file.persist(&followed).map_err(|e| e.error).map(drop)
}

/// Temporary files are private; an artefact is as readable as what Cargo makes.
#[cfg(unix)]
fn share(file: &tempfile::NamedTempFile) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share(_: &tempfile::NamedTempFile) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::write_whole;
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
    use std::process::Command;

    #[test]
    fn a_file_is_replaced_and_can_be_read_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        write_whole(&file, b"one").unwrap();
        write_whole(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o644
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_and_what_it_refers_to_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&file, "one").unwrap();
        symlink(&file, &link).unwrap();
        write_whole(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"two");
    }

    #[test]
    fn a_pipe_is_written_to_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut text = String::new();
                fs::File::open(pipe)
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                text
            }
        });
        write_whole(&pipe, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    }
}
