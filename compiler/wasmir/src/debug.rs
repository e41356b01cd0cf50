//! Source positions.

use crate::inst::SrcLoc;

/// A row of the line table: positions from `start` on, up to the next row, are at `line:col`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// The first position of the row.
    pub start: SrcLoc,
    /// Index into [`DebugInfo::files`]; `None` ends a sequence.
    pub file: Option<u32>,
    /// Line, from 1; 0 for none.
    pub line: u32,
    /// Column, from 1; 0 for none.
    pub col: u32,
}

/// The files and lines that [`SrcLoc`]s stand for.
///
/// For a lifted module a `SrcLoc` is an offset into its code section; for front ends that start from
/// source it is any ascending number. Either way a position belongs to the last row that starts at
/// or before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugInfo {
    /// File names.
    pub files: Vec<String>,
    /// Rows in ascending order of `start`.
    pub rows: Vec<LineRow>,
}

impl DebugInfo {
    /// File, line and column of a position.
    pub fn lookup(&self, loc: SrcLoc) -> Option<(&str, u32, u32)> {
        let row = self.row(loc)?;
        let file = self.files.get(row.file? as usize)?;
        Some((file, row.line, row.col))
    }

    /// The row that a position belongs to.
    pub fn row(&self, loc: SrcLoc) -> Option<&LineRow> {
        if !loc.is_some() {
            return None;
        }
        let after = self.rows.partition_point(|row| row.start <= loc);
        self.rows.get(after.checked_sub(1)?)
    }
}
