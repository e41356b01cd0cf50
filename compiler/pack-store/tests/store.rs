//! Stores on disk: what is written is found, by the maker's own version only; damage is a miss; folders stay small, in bytes and in
//! files; and processes that share one do each other no harm.

use pack_store::{Key, Store};
use std::fs;
use std::path::{Path, PathBuf};

const LIMIT: u64 = 16 << 20;

fn key(n: u32) -> Key {
    let mut key = [0x5a; 32];
    key[..4].copy_from_slice(&n.to_be_bytes());
    key
}

/// Contents that tell whose they are, of different lengths, none included.
fn contents(n: u32) -> Vec<u8> {
    n.to_le_bytes().repeat(n as usize % 50)
}

fn open(folder: &Path, limit: u64) -> Store {
    Store::open(folder, limit, "test 1")
}

fn add(store: &Store, numbers: impl IntoIterator<Item = u32>) {
    numbers
        .into_iter()
        .for_each(|n| store.insert(key(n), contents(n)));
    store.save().expect("the folder can be written");
}

/// How many of the entries are there; one that is must be right.
fn found(store: &Store, numbers: impl IntoIterator<Item = u32>) -> usize {
    let get = |n| {
        let found = store.get(&key(n))?;
        assert_eq!(found, contents(n), "entry {n}");
        Some(found)
    };
    numbers.into_iter().filter_map(get).count()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = files.map(|f| f.expect("a file").path()).collect();
    files.sort();
    files
}

fn size(folder: &Path) -> u64 {
    let sizes = files(folder).into_iter();
    sizes
        .map(|file| fs::metadata(file).expect("a file").len())
        .sum()
}

fn random(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn entries_are_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), LIMIT);
    assert_eq!(found(&store, 0..100), 0);
    add(&store, 0..100);
    let store = open(folder.path(), LIMIT);
    assert_eq!(found(&store, 0..200), 100);
    add(&store, 100..150);
    assert_eq!(found(&open(folder.path(), LIMIT), 0..200), 150);
}

#[test]
fn nothing_new_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    add(&open(folder.path(), LIMIT), 0..10);
    let before = files(folder.path());
    let store = open(folder.path(), LIMIT);
    assert_eq!(found(&store, 0..10), 10);
    store.save().expect("nothing to do");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn other_versions_see_nothing_and_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    add(&open(folder.path(), LIMIT), 0..10);
    let other = Store::open(folder.path(), LIMIT, "test 2");
    assert_eq!(found(&other, 0..10), 0);
    add(&other, 0..10);
    assert_eq!(found(&open(folder.path(), LIMIT), 0..10), 10);
}

/// Every bit counts: of header, index and contents.
#[test]
fn damage_is_a_miss() {
    let folder = tempfile::tempdir().expect("a folder");
    add(&open(folder.path(), LIMIT), 1..40);
    let pack = files(folder.path()).remove(0);
    let whole = fs::read(&pack).expect("a pack");
    let mut state = 1;
    for round in 0..400 {
        let mut bytes = whole.clone();
        let at = random(&mut state) % bytes.len();
        match round % 4 {
            0 => bytes.truncate(at),
            1 => bytes[at..].fill(0xff),
            _ => bytes[at] ^= 1 << (random(&mut state) % 8),
        }
        let unchanged = bytes == whole;
        fs::write(&pack, bytes).expect("a file");
        let hits = found(&open(folder.path(), LIMIT), 1..40);
        assert!(hits < 39 || unchanged, "damage at {at} was not noticed");
    }
    // What was damaged is made again, and then found.
    add(&open(folder.path(), LIMIT), 1..40);
    assert_eq!(found(&open(folder.path(), LIMIT), 1..40), 39);
}

#[test]
fn strange_files_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in [
        ("0.pack", &b""[..]),
        ("1.pack", b"packs\0\0\x01 and no more"),
        ("2.part", b"half of"),
        ("notes", b"mine"),
    ] {
        fs::write(folder.path().join(name), bytes).expect("a file");
    }
    fs::create_dir(folder.path().join("3.pack")).expect("a folder");
    add(&open(folder.path(), LIMIT), 0..10);
    assert_eq!(found(&open(folder.path(), LIMIT), 0..10), 10);
    assert_eq!(files(folder.path()).len(), 6);
}

/// A header that promises more entries than there are, a few or four thousand million, costs no memory and is a miss.
#[test]
fn a_lying_header_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    add(&open(folder.path(), LIMIT), 0..10);
    let pack = files(folder.path()).remove(0);
    let whole = fs::read(&pack).expect("a pack");
    for count in [0, 9, 11, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[40..44].copy_from_slice(&count.to_le_bytes());
        fs::write(&pack, bytes).expect("a file");
        assert_eq!(found(&open(folder.path(), LIMIT), 0..10), 0, "{count}");
    }
}

#[test]
fn a_folder_stays_within_its_limit_and_keeps_what_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let limit = 100_000;
    for round in 0..60u32 {
        let store = open(folder.path(), limit);
        if round > 0 {
            // Asked for in every round.
            assert_eq!(found(&store, 0..50), 50, "round {round}");
        }
        let new = round * 100;
        add(&store, new..new + 100);
        let size = size(folder.path());
        assert!(size <= limit, "{size} bytes in round {round}");
    }
}

#[test]
fn contents_larger_than_the_limit_are_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), 1000);
    store.insert(key(1), vec![1; 5000]);
    store.insert(key(2), contents(2));
    store.save().expect("the folder can be written");
    let store = open(folder.path(), 1000);
    assert_eq!((store.get(&key(1)), found(&store, 2..3)), (None, 1));
}

/// Many small additions to a large store: few files, and the large one is not written each time.
#[test]
fn packs_are_few_and_written_seldom() {
    let folder = tempfile::tempdir().expect("a folder");
    add(&open(folder.path(), LIMIT), 0..20_000);
    let large = files(folder.path()).remove(0);
    for round in 0..200u32 {
        let store = open(folder.path(), LIMIT);
        add(&store, 20_000 + round * 5..20_000 + round * 5 + 5);
        assert!(files(folder.path()).len() <= 12, "round {round}");
    }
    assert!(large.is_file(), "the large pack was written again");
    assert_eq!(found(&open(folder.path(), LIMIT), 0..21_000), 21_000);
}

#[test]
fn a_folder_may_have_company() {
    let folder = tempfile::tempdir().expect("a folder");
    std::thread::scope(|scope| {
        for part in 0..4u32 {
            let folder = folder.path();
            scope.spawn(move || {
                for round in 0..20 {
                    let store = open(folder, 60_000);
                    found(&store, 0..500);
                    let new = part * 20 + round * 37 % 400;
                    add(&store, new..new + 60);
                }
            });
        }
    });
    let packs = |file: &PathBuf| file.extension().is_some_and(|e| e == "pack");
    assert!(files(folder.path()).iter().all(packs));
    assert!(found(&open(folder.path(), 60_000), 0..500) > 0);
}

/// What was opened is read to the end, though another process has put it together with others.
#[cfg(unix)]
#[test]
fn what_goes_while_it_is_used_is_read_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    add(&open(folder.path(), LIMIT), 0..10);
    let slow = open(folder.path(), LIMIT);
    add(&open(folder.path(), LIMIT), 10..40);
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(found(&slow, 0..40), 10);
}

#[test]
fn a_folder_that_cannot_be_written_fails_the_save_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").expect("a file");
    let store = open(&file, LIMIT);
    store.insert(key(1), contents(1));
    assert!(store.save().is_err());
    assert_eq!(fs::read(&file).expect("a file"), b"not a folder");
}

/// A disk that is full in the middle of a file: what there was is still there, and nothing half-written is left. The test starts itself
/// again under a limit on the size of files.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_folder_as_it_was() {
    const CHILD: &str = "PACK_STORE_TEST_FOLDER";
    if let Some(folder) = std::env::var_os(CHILD) {
        let store = open(Path::new(&folder), LIMIT);
        assert_eq!(found(&store, 0..10), 10);
        store.insert(key(11), vec![1; 1 << 20]);
        assert!(store.save().is_err(), "there is room for a megabyte");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    add(&open(folder.path(), LIMIT), 0..10);
    let before = files(folder.path());
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact \"$1\"",
        ])
        .arg(std::env::current_exe().expect("a path"))
        .arg("a_full_disk_leaves_the_folder_as_it_was")
        .env(CHILD, folder.path())
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(files(folder.path()), before);
    assert_eq!(found(&open(folder.path(), LIMIT), 0..10), 10);
}
