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
//! Linear in the size of the sections, plus a sort of the sequences.

use gimli::{ColumnType, EndianSlice, LineProgramHeader, LittleEndian};
use rustc_hash::FxHashMap;
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
        let mut table = Table::default();
        if !self.by_name.contains_key("line") {
            return table.info;
        }
        let loaded = gimli::Dwarf::load(|id| Ok::<_, gimli::Error>(self.load(id)));
        let Ok(dwarf) = loaded else { return table.info };
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            let Ok(unit) = dwarf.unit(header) else {
                continue;
            };
            table.unit(&dwarf, &unit);
        }
        table.finish()
    }
}

/// Rows of one sequence, in ascending order.
struct Sequence {
    rows: Vec<LineRow>,
    end: u64,
}

#[derive(Default)]
struct Table {
    info: DebugInfo,
    files: FxHashMap<String, u32>,
    sequences: Vec<Sequence>,
}

impl Table {
    fn unit(&mut self, dwarf: &gimli::Dwarf<Slice<'_>>, unit: &gimli::Unit<Slice<'_>>) {
        let Some(program) = unit.line_program.clone() else {
            return;
        };
        let mut known: FxHashMap<u64, Option<u32>> = FxHashMap::default();
        let mut rows = program.rows();
        let mut current: Vec<LineRow> = Vec::new();
        let mut sound = true;
        while let Ok(Some((header, row))) = rows.next_row() {
            let Ok(start) = u32::try_from(row.address()) else {
                sound = false;
                continue;
            };
            if row.end_sequence() {
                let rows = std::mem::take(&mut current);
                if sound && rows.first().is_some_and(|row| row.start.0 != 0) {
                    self.sequences.push(Sequence {
                        rows,
                        end: row.address(),
                    });
                }
                sound = true;
                continue;
            }
            // Addresses of a sequence ascend; anything else is malformed.
            sound &= current.last().is_none_or(|last| last.start.0 <= start);
            let file = *known.entry(row.file_index()).or_insert_with(|| {
                file_name(dwarf, unit, header, row.file_index()).map(|name| self.file(name))
            });
            current.push(LineRow {
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
    }

    fn file(&mut self, name: String) -> u32 {
        let next = self.info.files.len() as u32;
        *self.files.entry(name).or_insert_with_key(|name| {
            self.info.files.push(name.clone());
            next
        })
    }

    fn finish(mut self) -> DebugInfo {
        self.sequences
            .sort_by_key(|sequence| sequence.rows[0].start);
        let mut end = 0;
        for sequence in self.sequences {
            // Sequences that overlap one before belong to functions that were folded into it.
            if u64::from(sequence.rows[0].start.0) < end {
                continue;
            }
            end = sequence.end;
            self.info.rows.extend(sequence.rows);
            if let Ok(end) = u32::try_from(end) {
                self.info.rows.push(LineRow {
                    start: SrcLoc(end),
                    file: None,
                    line: 0,
                    col: 0,
                });
            }
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
