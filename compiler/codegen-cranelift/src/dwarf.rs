//! DWARF for the code as it lies in the output: line tables and the names of functions.
//!
//! Everything DWARF says about addresses is wrong once code moved, so what the input had is dropped and this is written
//! instead: one compilation unit with a sequence of the line table and an entry with name and range for each function.
//! The rows come from the positions that bodies carry (see [`FunctionBody::locations`]) and what the module's line table
//! says of them; code that was inlined keeps the rows of where it was written. DWARF 4 in 32-bit form, which every
//! consumer reads; addresses count from the start of the code section's contents.
//!
//! If every body stands where it stood, the input's sections are still true and are kept.
//!
//! # Cost
//! Linear in the number of positions, times the logarithm of the number of rows. Rows are found in parallel.

use crate::bodies::Plan;
use crate::encode::FunctionBody;
use crate::leb;
use gimli::write::{
    Address, AttributeValue, Dwarf, EndianVec, FileId, LineProgram, LineString, Range, RangeList,
    Sections, Unit, Writer,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian};
use rayon::prelude::*;
use wasmir::{DebugInfo, Func, FuncBody, SrcLoc};

/// What a final module says about source positions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Debug {
    /// Nothing.
    #[default]
    None,
    /// What the input says.
    Kept,
    /// These sections.
    Written(Vec<(&'static str, Vec<u8>)>),
}

/// Whether a custom section is debug information that depends on where code lies.
pub(crate) fn is_debug(name: &str) -> bool {
    name.starts_with(".debug_") || name.starts_with("reloc..debug_")
}

/// A function of the output.
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    /// Where its body starts: in the code section, or, in an object, at its symbol.
    pub(crate) start: Address,
    pub(crate) body: &'a FunctionBody,
}

/// Where each body starts in the code section's contents.
pub(crate) fn starts(bodies: &[FunctionBody]) -> Vec<u32> {
    let mut at = u64::from(leb::unsigned_len(bodies.len() as u64));
    let mut starts = Vec::with_capacity(bodies.len());
    for body in bodies {
        let len = body.bytes.len() as u64;
        at += u64::from(leb::unsigned_len(len));
        starts.push(u32::try_from(at).unwrap_or(u32::MAX));
        at += len;
    }
    starts
}

impl Debug {
    /// Debug information for the bodies of the functions `defined`.
    pub(crate) fn new(plan: &Plan<'_>, defined: &[Func], bodies: &[FunctionBody]) -> Debug {
        let module = plan.module;
        let starts = starts(bodies);
        let all = || defined.iter().zip(bodies).zip(&starts);
        let stays =
            |((func, body), start): ((&Func, &FunctionBody), &u32)| match &module.funcs[*func].body
            {
                FuncBody::Raw(raw) => raw.code_offset == *start && *raw.bytes == *body.bytes,
                _ => false,
            };
        if all().all(stays) {
            return Debug::Kept;
        }
        if !plan.debug {
            return Debug::None;
        }
        let places: Vec<Place<'_>> = all()
            .map(|((&func, body), &start)| Place {
                name: module.funcs[func].symbol.name.as_deref().unwrap_or(""),
                start: Address::Constant(start.into()),
                body,
            })
            .collect();
        let mut sections = Sections::new(EndianVec::new(LittleEndian));
        let mut out = Vec::new();
        let written = describe(&module.debug, &places).write(&mut sections);
        // Writing fails only where a field overflows: then there is nothing true to say.
        let collected = written.and_then(|()| {
            sections.for_each(|id, section| {
                if section.len() != 0 {
                    out.push((id.name(), section.slice().to_vec()));
                }
                Ok(())
            })
        });
        match collected {
            Ok(()) => Debug::Written(out),
            Err(_) => Debug::None,
        }
    }
}

const ENCODING: Encoding = Encoding {
    format: Format::Dwarf32,
    version: 4,
    address_size: 4,
};

/// The line table and function entries.
pub(crate) fn describe(info: &DebugInfo, places: &[Place<'_>]) -> Dwarf {
    let mut dwarf = Dwarf::new();
    let mut lines = LineProgram::new(
        ENCODING,
        LineEncoding::default(),
        LineString::String(Vec::new()),
        None,
        LineString::String(b"?".to_vec()),
        None,
    );
    let files: Vec<FileId> = info
        .files
        .iter()
        .map(|path| add_file(&mut lines, path))
        .collect();
    let rows: Vec<Vec<Row>> = places
        .par_iter()
        .with_min_len(64)
        .map(|place| rows(info, &files, place))
        .collect();
    for (place, rows) in places.iter().zip(rows) {
        sequence(&mut lines, place, &rows);
    }
    let mut unit = Unit::new(ENCODING, lines);
    let ranges: Vec<Range> = places
        .iter()
        .filter(|place| !place.body.bytes.is_empty())
        .map(|place| Range::StartLength {
            begin: place.start,
            length: place.body.bytes.len() as u64,
        })
        .collect();
    let root = unit.root();
    let producer = concat!("codegen-cranelift ", env!("CARGO_PKG_VERSION"));
    let producer = AttributeValue::StringRef(dwarf.strings.add(producer));
    unit.get_mut(root).set(gimli::DW_AT_producer, producer);
    // Who reads names by the language takes them as they are unless they are Rust's.
    let rust = |place: &Place<'_>| place.name.starts_with("_R") || place.name.starts_with("_ZN");
    let language = if places.iter().any(rust) {
        gimli::DW_LANG_Rust
    } else {
        gimli::DW_LANG_C99
    };
    let language = AttributeValue::Language(language);
    unit.get_mut(root).set(gimli::DW_AT_language, language);
    // A range of its own for each function in an object, whose linker moves them; else one for all.
    let whole = match (ranges.first(), places.last()) {
        (
            Some(Range::StartLength {
                begin: Address::Constant(begin),
                ..
            }),
            Some(Place {
                start: Address::Constant(last),
                body,
                ..
            }),
        ) => Some((*begin, last + body.bytes.len() as u64 - begin)),
        _ => None,
    };
    match whole {
        Some((begin, length)) => {
            let entry = unit.get_mut(root);
            let begin = AttributeValue::Address(Address::Constant(begin));
            entry.set(gimli::DW_AT_low_pc, begin);
            entry.set(gimli::DW_AT_high_pc, AttributeValue::Udata(length));
        }
        None => {
            let ranges = unit.ranges.add(RangeList(ranges));
            let entry = unit.get_mut(root);
            let zero = AttributeValue::Address(Address::Constant(0));
            entry.set(gimli::DW_AT_low_pc, zero);
            entry.set(gimli::DW_AT_ranges, AttributeValue::RangeListRef(ranges));
        }
    }
    for place in places {
        let name = place.name.replace('\0', "");
        if name.is_empty() {
            continue;
        }
        let name = AttributeValue::StringRef(dwarf.strings.add(name));
        let id = unit.add(root, gimli::DW_TAG_subprogram);
        let entry = unit.get_mut(id);
        entry.set(gimli::DW_AT_low_pc, AttributeValue::Address(place.start));
        let length = AttributeValue::Udata(place.body.bytes.len() as u64);
        entry.set(gimli::DW_AT_high_pc, length);
        entry.set(gimli::DW_AT_name, name);
    }
    dwarf.units.add(unit);
    dwarf
}

/// Adds a file by its folder and name; both may be anything, so that what DWARF cannot say is replaced.
fn add_file(lines: &mut LineProgram, path: &str) -> FileId {
    let path = path.replace('\0', "?");
    let (folder, name) = match path.rsplit_once('/') {
        Some((folder, name)) if !name.is_empty() => (Some(folder), name),
        _ => (None, path.as_str()),
    };
    let folder = match folder {
        None => lines.default_directory(),
        Some("") => lines.add_directory(LineString::String(b"/".to_vec())),
        Some(folder) => lines.add_directory(LineString::String(folder.into())),
    };
    let name = if name.is_empty() { "?" } else { name };
    lines.add_file(LineString::String(name.into()), folder, None)
}

/// A change of place: where in the body it is, and the file, line and column from there on; nowhere if nothing is known.
type Row = (u64, Option<(FileId, u32, u32)>);

/// The rows of one function; none before something is known.
fn rows(info: &DebugInfo, files: &[FileId], place: &Place<'_>) -> Vec<Row> {
    let mut out: Vec<Row> = Vec::new();
    let mut reader = info.reader();
    // Rows of strange line tables may lie inside an index that became shorter, so that the next row comes first.
    let mut reached = 0;
    for &(offset, loc) in &place.body.locations {
        let offset = u64::from(offset).min(place.body.bytes.len() as u64);
        reached = offset.max(reached);
        let found = reader.row(SrcLoc(loc.bits()));
        let row = found.and_then(|row| Some((*files.get(row.file? as usize)?, row.line, row.col)));
        // Line 0 of whichever file: nowhere.
        if out.last().map_or(row.is_some(), |(_, last)| *last != row) {
            out.push((reached, row));
        }
    }
    out
}

/// Writes the rows of one function.
fn sequence(lines: &mut LineProgram, place: &Place<'_>, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    lines.begin_sequence(Some(place.start));
    for &(offset, row) in rows {
        let state = lines.row();
        state.address_offset = offset;
        match row {
            Some((file, line, col)) => {
                state.file = file;
                state.line = line.into();
                state.column = col.into();
            }
            None => {
                state.line = 0;
                state.column = 0;
            }
        }
        lines.generate_row();
    }
    lines.end_sequence(place.body.bytes.len() as u64);
}
