//! What a user is told when the tool itself fails: which stage, of which file, and the command that shows it again.
//!
//! A panic may come from any thread of a stage, so the stage under way is known to the process, not to a thread: it is state of the
//! panic hook, which is the process's, too. Rust ends a process whose main thread panicked with 101, the exit code of our own faults.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The stage under way and its file.
static UNDER_WAY: Mutex<Option<(String, PathBuf)>> = Mutex::new(None);

/// Says that `stage` begins its work on the file.
pub(crate) fn begin(stage: impl Into<String>, file: &Path) {
    let now = Some((stage.into(), file.to_owned()));
    *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

/// Has every panic explained on standard error.
pub(crate) fn install() {
    let command = command(std::env::args());
    std::panic::set_hook(Box::new(move |panic| {
        eprintln!("{}", explain(panic, &command))
    }));
}

/// The explanation of a panic of the stage under way.
fn explain(panic: &PanicHookInfo<'_>, command: &str) -> String {
    let stage = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::from("error: internal error");
    // Writing to a string cannot fail.
    if let Some((stage, file)) = &*stage {
        let _ = write!(text, " in stage `{stage}` of `{}`", file.display());
    }
    let _ = write!(text, ": {}", payload(panic.payload()));
    if let Some(location) = panic.location() {
        let _ = write!(text, " (at {location})");
    }
    text.push_str("\nhelp: this is a fault of the tool, not of its input; to see it again, run\n");
    let _ = write!(text, "      RUST_BACKTRACE=1 {command}");
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        let _ = write!(text, "\n{}", std::backtrace::Backtrace::force_capture());
    }
    text
}

fn payload(payload: &(dyn Any + Send)) -> &str {
    match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "it does not say what happened",
    }
}

/// A command line that can be pasted into a shell.
fn command(args: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted = args.map(|arg| match !arg.is_empty() && arg.chars().all(plain) {
        true => arg,
        false => format!("'{}'", arg.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// The hook belongs to the process, and so the test is one.
    #[test]
    fn a_panic_of_any_thread_names_stage_file_and_command() {
        let (sender, said) = mpsc::channel();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            sender
                .send(explain(panic, "wasmir opt a.wir"))
                .expect("it is awaited");
        }));
        begin("pass inline", Path::new("a.wir"));
        let joined = std::thread::spawn(|| panic!("index {} is too large", 7)).join();
        let plain = std::panic::catch_unwind(|| panic!("without arguments"));
        let strange = std::panic::catch_unwind(|| std::panic::panic_any(7));
        std::panic::set_hook(before);
        assert!(joined.is_err() && plain.is_err() && strange.is_err());
        let said: Vec<String> = said.try_iter().collect();
        for (text, what) in said.iter().zip([
            "index 7 is too large",
            "without arguments",
            "it does not say what happened",
        ]) {
            let start =
                format!("error: internal error in stage `pass inline` of `a.wir`: {what} (at ");
            assert!(text.starts_with(&start), "{text}");
            assert!(text.contains("fault.rs:"), "{text}");
            assert!(text.contains("RUST_BACKTRACE=1 wasmir opt a.wir"), "{text}");
        }
        assert_eq!(said.len(), 3);
    }

    #[test]
    fn commands_can_be_pasted() {
        let args = ["wasmir", "run", "my file.wir", "--invoke", "it's", "", "-2"];
        let expected = r"wasmir run 'my file.wir' --invoke 'it'\''s' '' -2";
        assert_eq!(command(args.map(str::to_owned).into_iter()), expected);
    }
}
