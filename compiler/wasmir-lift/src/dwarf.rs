//! Line tables: DWARF's `.debug_line` as WasmIR's rows.
//!
//! DWARF in WebAssembly counts addresses from the start of the code section's contents, which is what the
//! [`wasmir::SrcLoc`]s of lifted bodies are. Types, variables and frames (`.debug_info` beyond file names) are not
//! interpreted: their sections stay custom sections, valid as long as no code moves.
//!
//! # Limits
//! Rows of a malformed sequence are left out, not reported: debug information never makes a module invalid. Sequences
//! that start at address zero belong to functions that the linker removed, and are dropped.
//!
//! # Cost
//! Linear in the size of the sections, plus a sort of the sequences. Units are read in parallel.

use gimli::{ColumnType, EndianSlice, LineProgramHeader, LittleEndian};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::ops::Range;
use wasmir::{DebugInfo, LineRow, SrcLoc};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The debug sections of a module.
#[derive(Default)]
pub(crate) struct Sections<'a> {
    by_name: FxHashMap<String, &'a [u8]>,
}

impl<'a> Sections<'a> {
    pub(crate) fn add(&mut self, name: &str, data: &'a [u8]) {
        self.by_name.entry(name.to_owned()).or_insert(data);
    }

    fn load(&self, id: gimli::SectionId) -> Slice<'a> {
        let name = id.name().strip_prefix(".debug_").unwrap_or_default();
        EndianSlice::new(
            self.by_name.get(name).copied().unwrap_or_default(),
            LittleEndian,
        )
    }

    /// The line table, sorted by position; empty if there is none.
    pub(crate) fn lines(&self) -> DebugInfo {
        if !self.by_name.contains_key("line") {
            return DebugInfo::default();
        }
        let loaded = gimli::Dwarf::load(|id| Ok::<_, gimli::Error>(self.load(id)));
        let Ok(dwarf) = loaded else {
            return DebugInfo::default();
        };
        let mut headers = Vec::new();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            headers.push(header);
        }
        let read = |header| {
            let mut part = Part::default();
            if let Ok(unit) = dwarf.unit(header) {
                part.unit(&dwarf, &unit);
            }
            part
        };
        let parts: Vec<Part> = headers.into_par_iter().map(read).collect();
        let mut table = Table::default();
        table
            .info
            .rows
            .reserve(parts.iter().map(|part| part.rows.len()).sum());
        for part in parts {
            table.add(part);
        }
        table.finish()
    }
}

/// One sequence: its rows, in ascending order with one more that ends them, among those of the table.
struct Sequence {
    rows: Range<usize>,
    /// The first position.
    start: u32,
    end: u64,
}

/// The line table of one unit.
#[derive(Default)]
struct Part {
    rows: Vec<LineRow>,
    /// The files that the rows name, in order of their first mention.
    files: Vec<String>,
    sequences: Vec<Sequence>,
}

impl Part {
    fn unit(&mut self, dwarf: &gimli::Dwarf<Slice<'_>>, unit: &gimli::Unit<Slice<'_>>) {
        let Some(program) = unit.line_program.clone() else {
            return;
        };
        let mut known: FxHashMap<u64, Option<u32>> = FxHashMap::default();
        let mut rows = program.rows();
        // Where the rows of the sequence that is being read begin.
        let mut first = self.rows.len();
        let mut sound = true;
        while let Ok(Some((header, row))) = rows.next_row() {
            let Ok(start) = u32::try_from(row.address()) else {
                sound = false;
                continue;
            };
            let all = &mut self.rows;
            if row.end_sequence() {
                match all.get(first).map(|row| row.start.0) {
                    Some(begin) if sound && begin != 0 => {
                        // Nothing comes after the last position there is.
                        if let Ok(end) = u32::try_from(row.address()) {
                            all.push(LineRow {
                                start: SrcLoc(end),
                                file: None,
                                line: 0,
                                col: 0,
                            });
                        }
                        self.sequences.push(Sequence {
                            rows: first..all.len(),
                            start: begin,
                            end: row.address(),
                        });
                    }
                    _ => all.truncate(first),
                }
                first = all.len();
                sound = true;
                continue;
            }
            // Addresses of a sequence ascend; anything else is malformed.
            let last = all[first..].last();
            sound &= last.is_none_or(|last| last.start.0 <= start);
            let file = *known.entry(row.file_index()).or_insert_with(|| {
                let name = file_name(dwarf, unit, header, row.file_index())?;
                self.files.push(name);
                Some(self.files.len() as u32 - 1)
            });
            self.rows.push(LineRow {
                start: SrcLoc(start),
                file,
                line: row
                    .line()
                    .map_or(0, |line| u32::try_from(line.get()).unwrap_or(0)),
                col: match row.column() {
                    ColumnType::LeftEdge => 0,
                    ColumnType::Column(col) => u32::try_from(col.get()).unwrap_or(0),
                },
            });
        }
        // What no end was said of.
        self.rows.truncate(first);
    }
}

#[derive(Default)]
struct Table {
    info: DebugInfo,
    files: FxHashMap<String, u32>,
    sequences: Vec<Sequence>,
}

impl Table {
    /// Adds the table of the next unit.
    fn add(&mut self, part: Part) {
        let files: Vec<u32> = part.files.into_iter().map(|name| self.file(name)).collect();
        let before = self.info.rows.len();
        let renumbered = |row: LineRow| LineRow {
            file: row.file.map(|file| files[file as usize]),
            ..row
        };
        self.info.rows.extend(part.rows.into_iter().map(renumbered));
        let moved = |sequence: Sequence| Sequence {
            rows: before + sequence.rows.start..before + sequence.rows.end,
            ..sequence
        };
        self.sequences.extend(part.sequences.into_iter().map(moved));
    }

    /// Puts the sequences in order and leaves out those that overlap one before: they belong to functions that were
    /// folded into it.
    fn sort(&mut self) {
        self.sequences.sort_by_key(|sequence| sequence.start);
        let unsorted = std::mem::take(&mut self.info.rows);
        self.info.rows.reserve(unsorted.len());
        let mut end = 0;
        for sequence in &self.sequences {
            if u64::from(sequence.start) >= end {
                end = sequence.end;
                let rows = &unsorted[sequence.rows.clone()];
                self.info.rows.extend_from_slice(rows);
            }
        }
    }

    fn file(&mut self, name: String) -> u32 {
        let next = self.info.files.len() as u32;
        *self.files.entry(name).or_insert_with_key(|name| {
            self.info.files.push(name.clone());
            next
        })
    }

    fn finish(mut self) -> DebugInfo {
        let disjoint = |pair: &[Sequence]| {
            pair[0].start <= pair[1].start && pair[0].end <= u64::from(pair[1].start)
        };
        // Linkers write sequences in the order of their code, most often.
        if !self.sequences.windows(2).all(disjoint) {
            self.sort();
        }
        // Of rows at one position only the last can be found.
        self.info.rows.dedup_by(|next, row| {
            let same = next.start == row.start;
            if same {
                *row = *next;
            }
            same
        });
        self.info
    }
}

/// The path of a file: compilation directory, include directory and name, as far as they are relative.
fn file_name(
    dwarf: &gimli::Dwarf<Slice<'_>>,
    unit: &gimli::Unit<Slice<'_>>,
    header: &LineProgramHeader<Slice<'_>>,
    index: u64,
) -> Option<String> {
    let text = |value| {
        Some(
            dwarf
                .attr_string(unit, value)
                .ok()?
                .to_string_lossy()
                .into_owned(),
        )
    };
    let file = header.file(index)?;
    let mut path = text(file.path_name())?;
    if !is_absolute(&path)
        && let Some(directory) = file.directory(header).and_then(text)
        && !directory.is_empty()
    {
        path = format!("{directory}/{path}");
    }
    if !is_absolute(&path)
        && let Some(directory) = unit.comp_dir
        && !directory.is_empty()
    {
        let directory = directory.to_string_lossy();
        path = format!("{directory}/{path}");
    }
    Some(path)
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || path.starts_with('\\') || path.get(1..3) == Some(":\\")
}
