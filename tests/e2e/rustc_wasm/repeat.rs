//! The same input gives the same bytes: in any folder, with any number of threads, from nothing or after other builds, alone or
//! beside others, and after a build that was killed.

use super::{Fixture, MAIN, OUTPUT};
use crate::support::Output;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn clean_builds_have_the_same_bytes() {
    let Some(fixture) = Fixture::new("same") else {
        return;
    };
    let mut bytes = Vec::new();
    for (folder, jobs, threads) in [("one", "1", "1"), ("another/deeper", "4", "3")] {
        let target = fixture.target().join(folder);
        let mut command = fixture.build_into(&target);
        command
            .args(["--jobs", jobs])
            .env("RAYON_NUM_THREADS", threads);
        Output::of(&mut command).succeeded();
        bytes.push(fixture.bytes_in(&target));
    }
    assert!(
        bytes[0] == bytes[1],
        "{} and {} bytes",
        bytes[0].len(),
        bytes[1].len()
    );
    // An edit, and the same edit taken back: what was kept of the build between must not show.
    let target = fixture.target().join("one");
    fixture
        .project
        .write("src/main.rs", &MAIN.replace("\"b\", \"c\"", "\"b\", \"d\""));
    Output::of(&mut fixture.build_into(&target)).succeeded();
    assert!(fixture.bytes_in(&target) != bytes[0], "the edit shows");
    fixture.project.write("src/main.rs", MAIN);
    Output::of(&mut fixture.build_into(&target)).succeeded();
    assert!(
        fixture.bytes_in(&target) == bytes[0],
        "nothing of the edit is left"
    );
    let mut command = fixture.project.cargo_wasm(["run", "--quiet"]);
    command.arg(fixture.module_in(&target));
    assert_eq!(Output::of(&mut command).succeeded().stdout, OUTPUT);
}

#[test]
fn builds_side_by_side_do_not_disturb_each_other() {
    let Some(fixture) = Fixture::new("beside") else {
        return;
    };
    // Four builds, two in each of two folders, all with the same compiler and library.
    let folders = ["a", "b", "a", "b"].map(|name| fixture.target().join(name));
    let running: Vec<_> = folders
        .iter()
        .map(|target| {
            let mut command = fixture.build_into(target);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().expect("cargo-wasm starts")
        })
        .collect();
    for child in running {
        let output = child.wait_with_output().expect("it ends");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(fixture.bytes_in(&folders[0]) == fixture.bytes_in(&folders[1]));
}

#[test]
fn a_killed_build_leaves_nothing_broken() {
    let Some(fixture) = Fixture::new("killed") else {
        return;
    };
    let reference = fixture.target().join("reference");
    Output::of(&mut fixture.build_into(&reference)).succeeded();
    let expected = fixture.bytes_in(&reference);
    let target = fixture.target().join("killed");
    // Spread over the time that a build takes on machines of different speeds; the later ones also meet what the earlier left.
    for (round, delay) in [50, 200, 400, 700, 1100, 1600, 2500]
        .into_iter()
        .enumerate()
    {
        fixture.project.write(
            "src/main.rs",
            &MAIN.replace("\"c\"", &format!("\"c{round}\"")),
        );
        let mut command = fixture.build_into(&target);
        // A group of its own, so that Cargo and the compilers die with it, at once and without a word.
        command
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("cargo-wasm starts");
        std::thread::sleep(Duration::from_millis(delay));
        let kill = format!("kill -KILL -- -{}", child.id());
        // It may have ended by itself.
        let _ = Command::new("sh")
            .args(["-c", &kill])
            .stderr(Stdio::null())
            .status();
        child.wait().expect("it ends");
        // Whatever is there under its final name is whole.
        if fixture.module_in(&target).exists() {
            fixture.bytes_in(&target);
        }
    }
    fixture.project.write("src/main.rs", MAIN);
    Output::of(&mut fixture.build_into(&target)).succeeded();
    assert!(
        fixture.bytes_in(&target) == expected,
        "what the killed builds left shows"
    );
}
