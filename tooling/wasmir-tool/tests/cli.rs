//! Runs the tool on small inputs of every form.

use std::path::Path;
use std::process::{Command, Output};

const WIR: &str = "wasmir 1
type type0 = func(i32, i32) -> (i32)
func %unused type0 {
  param l0, l1: i32
b0:
  return l0
}
func %add type0 {
  param l0, l1: i32
  local l2: i32
b0:
  l2 = i32.add l0, l1
  return l2
}
export \"add\" func %add
";

const CLIF: &str = "function %double(i32) -> i32 {
block0(v0: i32):
    v1 = iadd v0, v0
    return v1
}
; run: %double(4) == 8
; run: %double(-1) == -2
";

fn wasmir(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wasmir"))
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the tool runs")
}

fn stdout(args: &[&str], folder: &Path) -> String {
    let output = wasmir(args, folder);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_module_goes_through_every_stage() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("a.wir"), WIR).expect("a file");
    assert!(stdout(&["parse", "a.wir"], at).starts_with("WasmIR: 1 types, 2 functions (2 with"));
    assert_eq!(stdout(&["print", "a.wir"], at), WIR);
    assert_eq!(stdout(&["verify", "a.wir"], at), "");
    let optimised = stdout(&["opt", "a.wir", "--verify-each"], at);
    assert!(
        !optimised.contains("%unused") && optimised.contains("i32.add"),
        "{optimised}"
    );
    stdout(&["print", "a.wir", "--emit", "wirb", "-o", "a.wirb"], at);
    assert_eq!(stdout(&["print", "a.wirb"], at), WIR);
    assert_eq!(
        stdout(&["run", "a.wir", "--invoke", "add", "2", "40"], at),
        "42\n"
    );
    stdout(&["codegen", "a.wir", "--emit", "wasm", "-o", "a.wasm"], at);
    assert!(stdout(&["lift", "a.wasm"], at).contains("i32.add"));
    assert_eq!(
        stdout(&["run", "a.wasm", "--invoke", "add", "--", "-2", "1"], at),
        "-1\n"
    );
}

#[test]
fn clif_files_are_generated_and_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("a.clif"), CLIF).expect("a file");
    assert_eq!(stdout(&["run", "a.clif"], at), "2 runs passed\n");
    assert!(stdout(&["codegen", "a.clif"], at).contains("(export \"double\""));
    std::fs::write(at.join("bad.clif"), CLIF.replace("== 8", "== 9")).expect("a file");
    let failed = wasmir(&["run", "bad.clif"], at);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("1 of 2 runs failed"));
}

#[test]
fn mistakes_have_a_place_and_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("a.wir"), "wasmir 1\nfunc %f type0\n").expect("a file");
    let output = wasmir(&["parse", "a.wir"], at);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(errors, "error: a.wir:2:9: there is no type `type0`\n");
    assert_eq!(wasmir(&["parse"], at).status.code(), Some(2));
    assert_eq!(
        wasmir(&["verify", "missing.wir"], at).status.code(),
        Some(1)
    );
}

const PROGRAM: &str = "wasmir 1
relocatable
type type0 = func(i32) -> (i32)
memory %mem 0 import \"env\" \"__linear_memory\"
func %helper type0 undefined
func %go type0 strong {
  param l0: i32
  local l1, l2: i32
b0:
  l1 = sym_addr data %seven 0
  l1 = i32.load %mem l1+0 align 4
  l2 = call %helper(l0)
  l1 = i32.add l1, l2
  return l1
}
data %seven symbol \".rodata.seven\" align 4 size 4 \"\\07\\00\\00\\00\"
";

const LIBRARY: &str = "wasmir 1
relocatable
type type0 = func(i32) -> (i32)
func %helper type0 strong {
  param l0: i32
  local l1: i32
b0:
  l1 = i32.mul l0, l0
  return l1
}
";

/// Modules to objects, objects to one object or to a program that runs.
#[test]
fn objects_are_written_and_linked() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    for (name, text) in [("a", PROGRAM), ("b", LIBRARY)] {
        std::fs::write(at.join(format!("{name}.wir")), text).expect("a file");
        let (input, output) = (format!("{name}.wir"), format!("{name}.o"));
        stdout(&["codegen", &input, "--emit", "wasm", "-o", &output], at);
    }
    stdout(
        &[
            "link", "a.o", "b.o", "--export", "go", "--emit", "wasm", "-o", "p.wasm",
        ],
        at,
    );
    assert_eq!(
        stdout(&["run", "p.wasm", "--invoke", "go", "5"], at).trim(),
        "32"
    );
    stdout(
        &["link", "a.o", "b.o", "-r", "--emit", "wasm", "-o", "ab.o"],
        at,
    );
    stdout(
        &[
            "link", "ab.o", "--export", "go", "--emit", "wasm", "-o", "q.wasm",
        ],
        at,
    );
    assert_eq!(
        stdout(&["run", "q.wasm", "--invoke", "go", "6"], at).trim(),
        "43"
    );

    let alone = wasmir(&["link", "a.o", "--export", "go"], at);
    let errors = String::from_utf8_lossy(&alone.stderr);
    assert_eq!(alone.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("the function `helper` is used but defined nowhere"),
        "{errors}"
    );
}

/// An archive of the files, in the format of `ar`.
fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in files {
        let (name, size) = (format!("{name}/"), bytes.len());
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
        out.extend(header.bytes());
        out.extend(bytes);
        out.extend(vec![b'\n'; size % 2]);
    }
    out
}

#[test]
fn what_is_needed_is_taken_from_archives() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let object = |name: &str, text: &str| {
        let text = format!("wasmir 1\nrelocatable\ntype type0 = func() -> (i32)\n{text}");
        std::fs::write(at.join("o.wir"), text).expect("a file");
        stdout(&["print", "o.wir", "--emit", "wasm", "-o", name], at);
        std::fs::read(at.join(name)).expect("it was written")
    };
    object(
        "main.o",
        "func %main type0 strong {\n  local l0: i32\nb0:\n  l0 = call %answer()\n  return l0\n}\nfunc %answer type0 undefined\n",
    );
    let answer = |number: u32| {
        format!(
            "func %answer type0 strong {{\n  local l0: i32\nb0:\n  l0 = i32.const {number}\n  return l0\n}}\n"
        )
    };
    let other = object("x.o", &answer(1).replace("%answer", "%other"));
    let library = [
        ("broken.o", b"\0asm\x01\0\0\0\xff".to_vec()),
        ("other.o", other.clone()),
        ("first.o", object("x.o", &answer(42))),
        ("second.o", object("x.o", &answer(43))),
    ];
    std::fs::write(at.join("library.a"), archive(&library)).expect("a file");
    let link = ["link", "library.a", "main.o", "--export", "main"];
    stdout(
        &[&link[..], &["--emit", "wasm", "-o", "p.wasm"]].concat(),
        at,
    );
    assert_eq!(stdout(&["run", "p.wasm"], at), "42\n");
    assert!(!stdout(&link, at).contains("other"));

    // What cannot be read is said when something is missing.
    let library = archive(&[
        ("broken.o", b"\0asm\x01\0\0\0\xff".to_vec()),
        ("other.o", other),
    ]);
    std::fs::write(at.join("library.a"), library).expect("a file");
    let failed = wasmir(&link, at);
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(
        said.contains("the function `answer` is used but defined nowhere"),
        "{said}"
    );
    assert!(
        said.contains("note: left out: cannot lift `library.a(broken.o)`"),
        "{said}"
    );

    let wrong = wasmir(&["parse", "library.a"], at);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        said.contains("`library.a` is an archive") && said.contains("`wasmir link`"),
        "{said}"
    );
}
