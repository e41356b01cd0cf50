//! What a transcript cannot show: streams, pipes, time, and the cache of compiled code.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::Workshop;

#[test]
fn standard_streams_are_not_held_back() {
    let workshop = Workshop::new();
    let mut child = workshop
        .command()
        .arg("cat.wasm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = child.stdout.take().expect("a pipe");
    for text in ["first", "second"] {
        stdin.write_all(text.as_bytes()).expect("the guest reads");
        stdin.flush().expect("the guest reads");
        // The pipe is still open: this returns only if the guest was given the text and its output came through.
        let mut echo = vec![0; text.len()];
        stdout.read_exact(&mut echo).expect("the guest writes");
        assert_eq!(echo, text.as_bytes());
    }
    drop(stdin);
    assert!(child.wait().expect("the command ends").success());
}

#[test]
fn large_streams_come_through_whole() {
    let workshop = Workshop::new();
    let input: Vec<u8> = (0..3_000_000_u32).map(|i| b'a' + (i % 26) as u8).collect();
    let ended = workshop.run(workshop.command().arg("cat.wasm"), &input);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.as_bytes(), input);

    let ended = workshop.run(workshop.command().args(["library.wasm", "greet"]), &input);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.len(), "hello, ".len() + input.len() + 1);
}

#[test]
fn a_closed_pipe_is_quiet() {
    let workshop = Workshop::new();
    let mut child = workshop
        .command()
        .args(["library.wasm", "greet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // Nobody reads the result: the other end is closed before there is one.
    drop(child.stdout.take());
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn time_runs_while_a_guest_waits_for_input() {
    let workshop = Workshop::new();
    let start = Instant::now();
    let mut child = workshop
        .command()
        .args(["--timeout", "100ms", "cat.wasm"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    // Held open until the command has ended.
    let stdin = child.stdin.take();
    assert_eq!(child.wait().expect("the command ends").code(), Some(134));
    assert!(start.elapsed() < Duration::from_secs(30));
    drop(stdin);
}

#[test]
fn variables_are_inherited_only_when_asked_for() {
    let workshop = Workshop::new();
    let run = |options: &[&str]| {
        let mut command = workshop.command();
        command
            .env("ASKED_FOR", "yes")
            .args(options)
            .arg("show.wasm");
        workshop.run(&mut command, b"").stdout
    };
    assert!(!run(&[]).contains("ASKED_FOR"));
    assert!(run(&["--inherit-env"]).contains("ASKED_FOR=yes\n"));
    assert!(run(&["--inherit-env", "--env", "ASKED_FOR=no"]).contains("ASKED_FOR=no\n"));
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn compiled_code_is_kept_when_it_may_be() {
    let workshop = Workshop::new();
    let answer = |options: &[&str], home: &Path| {
        let mut command = workshop.command();
        command
            .env("WASMRUST_HOME", home)
            .args(options)
            .args(["numbers.wasm", "add", "40", "2"]);
        let ended = workshop.run(&mut command, b"");
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "42\n"),
            "{}",
            ended.stderr
        );
    };

    let unused = workshop.path("unused");
    answer(&["--no-cache"], &unused);
    assert!(!unused.exists());

    let home = workshop.path("kept");
    answer(&[], &home);
    // The cache counts uses in files beside the code, in its own time: they may come later, or not at all.
    let compiled_code = || {
        let mut files = files(&home.join("compiled"));
        files.retain(|file| file.extension().is_none());
        files.retain(|file| file.parent() != Some(&*home.join("compiled")));
        files
    };
    let kept = compiled_code();
    assert!(!kept.is_empty());
    answer(&[], &home);
    assert_eq!(compiled_code(), kept, "the second run compiles nothing");

    // Damage is found out, and the program compiled again.
    for file in &kept {
        let bytes = fs::read(file).expect("a file of the cache");
        fs::write(file, &bytes[..bytes.len() / 2]).expect("a file of the cache");
    }
    answer(&[], &home);
    for file in &kept {
        fs::write(file, b"nonsense").expect("a file of the cache");
    }
    answer(&[], &home);

    // A folder that cannot be: programs run all the same.
    answer(&[], &workshop.path("text.wasm"));
}
