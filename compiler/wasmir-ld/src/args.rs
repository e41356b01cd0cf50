//! The command line: `wasm-ld`'s, with options of our own that begin with `--wasmir-`.
//!
//! Nothing of `wasm-ld`'s own is taken away or changed; only what matters for the question what a program reaches is
//! understood: inputs, folders of libraries, names that are asked for.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// An argument, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arg {
    /// An object or archive by its path.
    File(PathBuf),
    /// A library by its name (`-l`).
    Library(String),
    /// Anything else, with its value if that stands apart.
    Other(Vec<OsString>),
}

/// What the command line says.
#[derive(Debug, Default)]
pub(crate) struct Args {
    /// What goes to the linker, in order.
    pub(crate) list: Vec<Arg>,
    /// The linker that does the rest.
    pub(crate) linker: Option<PathBuf>,
    /// The result.
    pub(crate) output: PathBuf,
    /// Where finished bodies are kept.
    pub(crate) cache: Option<PathBuf>,
    /// Where the program is written as WasmIR.
    pub(crate) wir: Option<PathBuf>,
    /// Where the times of the stages are written.
    pub(crate) timings: Option<PathBuf>,
    /// Leave bodies as they are, as far as they can be.
    pub(crate) unoptimised: bool,
    /// Names that the command line asks for.
    pub(crate) wanted: Vec<String>,
    /// Everything is wanted.
    pub(crate) everything: bool,
    /// Line tables are not.
    pub(crate) no_debug: bool,
    folders: Vec<PathBuf>,
    static_only: bool,
}

/// Options whose value stands apart, and may be the next argument.
const WITH_VALUE: [&str; 14] = [
    "-flavor",
    "-o",
    "-L",
    "-l",
    "-z",
    "-m",
    "-u",
    "-e",
    "--entry",
    "--export",
    "--export-if-defined",
    "--undefined",
    "--soname",
    "-mllvm",
];

impl Args {
    /// What is left when there is no command line: names that are asked for, with line tables or without.
    pub(crate) fn of_names(wanted: Vec<String>, debug: bool) -> Args {
        Args {
            wanted,
            no_debug: !debug,
            ..Args::default()
        }
    }

    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, Error> {
        let mut out = Args::default();
        let mut words = expand(args, 0)?.into_iter();
        while let Some(word) = words.next() {
            let Some(text) = word.to_str() else {
                out.list.push(Arg::File(word.into()));
                continue;
            };
            if !text.starts_with('-') {
                out.list.push(Arg::File(word.into()));
                continue;
            }
            if let Some(own) = text.strip_prefix("--wasmir-") {
                out.own(own)?;
                continue;
            }
            let apart = WITH_VALUE.contains(&text);
            let value = match apart {
                true => words.next(),
                false => None,
            };
            if apart && value.is_none() {
                return Err(Error::new(format!("`{text}` lacks its value")));
            }
            out.option(word, value);
        }
        if out.output.as_os_str().is_empty() {
            out.output = "a.out.wasm".into();
        }
        Ok(out)
    }

    fn own(&mut self, text: &str) -> Result<(), Error> {
        match text.split_once('=') {
            Some(("linker", path)) => self.linker = Some(path.into()),
            Some(("cache", path)) => self.cache = Some(path.into()),
            Some(("emit-wir", path)) => self.wir = Some(path.into()),
            Some(("timings", path)) => self.timings = Some(path.into()),
            None if text == "unoptimised" => self.unoptimised = true,
            _ => {
                return Err(Error::new(format!("there is no option `--wasmir-{text}`")));
            }
        }
        Ok(())
    }

    /// An option of the linker's: `name`, and `value` if it stands apart.
    fn option(&mut self, word: OsString, apart: Option<OsString>) {
        let text = word.to_string_lossy().into_owned();
        let (name, value) = split(&text, apart.as_deref());
        match (name, value) {
            ("-o" | "--output", Some(path)) => self.output = path.into(),
            ("-L" | "--library-path", Some(path)) => self.folders.push(path.into()),
            ("-l" | "--library", Some(library)) => {
                self.list.push(Arg::Library(library));
                return;
            }
            (
                "-u"
                | "--undefined"
                | "-e"
                | "--entry"
                | "--export"
                | "--export-if-defined"
                | "--wrap",
                Some(symbol),
            ) => self.wanted.push(symbol),
            (
                "--export-all" | "--export-dynamic" | "--no-gc-sections" | "-r" | "--relocatable"
                | "--shared" | "-shared" | "-pie" | "--pie" | "--emit-relocs",
                None,
            ) => self.everything = true,
            ("-s" | "--strip-all" | "-S" | "--strip-debug", None) => self.no_debug = true,
            ("-Bstatic" | "-static" | "-dn", None) => self.static_only = true,
            _ => {}
        }
        self.list.push(Arg::Other(
            [Some(word), apart].into_iter().flatten().collect(),
        ));
    }

    /// The file of a library, as the linker finds it.
    pub(crate) fn find(&self, library: &str) -> Option<PathBuf> {
        let names = match library.strip_prefix(':') {
            Some(exact) => vec![exact.to_owned()],
            None if self.static_only => vec![format!("lib{library}.a")],
            None => vec![format!("lib{library}.so"), format!("lib{library}.a")],
        };
        let places = self.folders.iter();
        let mut files = places.flat_map(|folder| names.iter().map(|name| folder.join(name)));
        files.find(|file| file.is_file())
    }

    /// The linker, and whether it is to be told that it links wasm.
    pub(crate) fn linker(&self) -> (&Path, bool) {
        let linker = self.linker.as_deref().unwrap_or(Path::new("rust-lld"));
        let stem = linker.file_stem().and_then(OsStr::to_str).unwrap_or("");
        (linker, matches!(stem, "rust-lld" | "lld"))
    }
}

/// Name and value of an option.
fn split<'a>(text: &'a str, apart: Option<&OsStr>) -> (&'a str, Option<String>) {
    if let Some(value) = apart {
        return (text, Some(value.to_string_lossy().into_owned()));
    }
    if let Some((name, value)) = text.split_once('=').filter(|_| text.starts_with("--")) {
        return (name, Some(value.to_owned()));
    }
    for name in ["-L", "-l", "-u", "-e", "-o"] {
        // `-execute-only` and its like are options of their own, but none that the linker has for wasm.
        if let Some(value) = text.strip_prefix(name).filter(|v| !v.is_empty()) {
            return (name, Some(value.to_owned()));
        }
    }
    (text, None)
}

/// Puts the contents of response files in their places.
fn expand(args: impl IntoIterator<Item = OsString>, depth: u32) -> Result<Vec<OsString>, Error> {
    let mut out = Vec::new();
    for arg in args {
        let file = arg.to_str().and_then(|text| text.strip_prefix('@'));
        match file.map(Path::new).filter(|file| file.is_file()) {
            Some(file) if depth < 8 => {
                let text = fs::read_to_string(file).map_err(|e| Error::file("read", file, e))?;
                out.extend(expand(
                    words(&text).into_iter().map(OsString::from),
                    depth + 1,
                )?);
            }
            _ => out.push(arg),
        }
    }
    Ok(out)
}

/// The words of a response file, as LLVM's tools and rustc understand it: blanks separate, quotes and backslashes protect.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Args {
        match Args::parse(text.split_whitespace().map(OsString::from)) {
            Ok(args) => args,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn inputs_and_names_are_found() {
        let args = parse(
            "--wasmir-linker=/x/rust-lld -flavor wasm --export main --export=__heap_base -z stack-size=1048576 \
             --wasmir-cache=c a.o b.rlib -L lib -Lother -lc -l m --gc-sections --no-entry -O0 -o out.wasm",
        );
        assert_eq!(args.wanted, ["main", "__heap_base"]);
        assert_eq!(args.output, Path::new("out.wasm"));
        assert_eq!(args.cache.as_deref(), Some(Path::new("c")));
        assert_eq!(args.linker(), (Path::new("/x/rust-lld"), true));
        assert!(!args.everything && !args.no_debug);
        let inputs: Vec<&Arg> = args
            .list
            .iter()
            .filter(|arg| !matches!(arg, Arg::Other(_)))
            .collect();
        let expected = [
            Arg::File("a.o".into()),
            Arg::File("b.rlib".into()),
            Arg::Library("c".into()),
            Arg::Library("m".into()),
        ];
        assert_eq!(inputs, expected.iter().collect::<Vec<_>>());
        let z = ["-z", "stack-size=1048576"].map(OsString::from).to_vec();
        assert!(args.list.contains(&Arg::Other(z)));
    }

    #[test]
    fn stripping_and_keeping() {
        assert!(parse("--strip-debug").no_debug);
        assert!(parse("--export-all").everything);
        assert!(Args::parse(["--wasmir-nonsense".into()]).is_err());
        assert!(Args::parse(["--export".into()]).is_err());
    }

    #[test]
    fn libraries_are_searched_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for place in [&a, &b] {
            fs::create_dir(place).unwrap();
            fs::write(place.join("libboth.a"), "").unwrap();
        }
        fs::write(b.join("libonly.a"), "").unwrap();
        let args = parse(&format!("-L{} -L {}", a.display(), b.display()));
        assert_eq!(args.find("both"), Some(a.join("libboth.a")));
        assert_eq!(args.find("only"), Some(b.join("libonly.a")));
        assert_eq!(args.find(":libonly.a"), Some(b.join("libonly.a")));
        assert_eq!(args.find("none"), None);
    }

    #[test]
    fn response_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("args");
        fs::write(&file, "--export \"a b\"\n'c d.o' e\\ f.o\n").unwrap();
        let args = parse(&format!("@{}", file.display()));
        assert_eq!(args.wanted, ["a b"]);
        let files = [Arg::File("c d.o".into()), Arg::File("e f.o".into())];
        assert_eq!(args.list[1..], files);
    }
}
