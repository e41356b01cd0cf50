//! Where data lie in memory.
//!
//! Data are put in order by kind (read-only, thread-local, writable, zero), and within a kind by section if the section's name could be
//! a name in C: of such a section, code may ask for the beginning and the end by `__start_NAME` and `__stop_NAME`, so its data lie
//! together. Each gets the next address that suits its alignment. What lies in `.bss` and is zero takes no bytes in the module.
//!
//! # Cost
//! Sorting the data symbols; the rest is linear.

use super::{LayoutError, Options, PAGE, Result, undefined, unsupported};
use crate::entities::Data;
use crate::module::{DataData, DataKind, Module};
use crate::symbol::Linkage;
use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;

/// The kinds of data in memory, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    ReadOnly,
    ThreadLocal,
    Writable,
    Zero,
}

fn group(section: &str, data: &DataData) -> Group {
    let is = |name: &str| {
        section
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if data.symbol.tls {
        Group::ThreadLocal
    } else if is(".rodata") {
        Group::ReadOnly
    } else if is(".bss") && data.relocs.is_empty() && data.bytes.iter().all(|byte| *byte == 0) {
        Group::Zero
    } else {
        Group::Writable
    }
}

/// Whether a section has a name that `__start_` and `__stop_` can stand before.
fn is_identifier(section: &str) -> bool {
    let mut bytes = section.bytes();
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    bytes.next().is_some_and(first) && bytes.all(|byte| first(byte) || byte.is_ascii_digit())
}

/// Where memory's parts end.
pub(super) struct Layout {
    data_end: u64,
    pub(super) heap_base: u64,
    pub(super) thread_local: ThreadLocal,
    /// The symbols with bytes, in order of address.
    pub(super) placed: Vec<Data>,
}

/// Where thread-local data are.
#[derive(Clone, Copy)]
pub(super) struct ThreadLocal {
    pub(super) base: u32,
    pub(super) size: u32,
    pub(super) align: u32,
}

/// A data symbol to be placed.
struct Placing<'m> {
    group: Group,
    /// Its section if that has a beginning and an end of its own, else nothing.
    section: &'m str,
    id: Data,
    size: u32,
    align: u64,
}

/// The first address and the one after the last.
type Extent = (u64, u64);

/// Gives all data symbols of `module` their addresses.
pub(super) fn place(
    module: &Module,
    options: &Options,
) -> Result<(SecondaryMap<Data, u32>, Layout)> {
    let stack = u64::from(options.stack_size).next_multiple_of(16);
    // With an empty stack, data still must not lie at the null address.
    let data_start = stack.max(1024);
    let list = in_order(module)?;
    let locals = || list.iter().filter(|p| p.group == Group::ThreadLocal);
    let align = locals().map(|p| p.align).max().unwrap_or(1);
    let mut addresses = SecondaryMap::new();
    let mut sections: FxHashMap<&str, Extent> = FxHashMap::default();
    let mut thread_local: Option<Extent> = None;
    let mut at = data_start;
    for placing in &list {
        let is_local = placing.group == Group::ThreadLocal;
        if is_local && thread_local.is_none() {
            // All of them have one base.
            at = at.next_multiple_of(align);
        }
        at = at.next_multiple_of(placing.align);
        let start = at;
        addresses[placing.id] =
            u32::try_from(start).map_err(|_| LayoutError::TooLarge { size: start })?;
        at += u64::from(placing.size);
        if is_local {
            thread_local.get_or_insert((start, at)).1 = at;
        }
        if !placing.section.is_empty() {
            sections.entry(placing.section).or_insert((start, at)).1 = at;
        }
    }
    let heap_base = at.next_multiple_of(16);
    if heap_base >= 1 << 32 {
        return Err(LayoutError::TooLarge { size: heap_base });
    }
    let (base, end) = thread_local.unwrap_or((0, 0));
    let layout = Layout {
        data_end: at,
        heap_base,
        // Below the heap, and so below 4 GiB.
        thread_local: ThreadLocal {
            base: base as u32,
            size: (end - base) as u32,
            align: align as u32,
        },
        placed: list
            .iter()
            .filter(|p| p.group != Group::Zero)
            .map(|p| p.id)
            .collect(),
    };
    for (id, data) in module.datas.iter() {
        addresses[id] = match data.kind {
            DataKind::Alias { of, offset, .. } => addresses[of].wrapping_add(offset),
            DataKind::Symbol {
                undefined: true, ..
            } => match linkers(data, stack, data_start, &layout, &sections) {
                Some(address) => u32::try_from(address).unwrap_or(u32::MAX),
                None if data.symbol.linkage == Linkage::UndefinedWeak => 0,
                None => return undefined("data", &data.symbol),
            },
            _ => continue,
        };
    }
    Ok((addresses, layout))
}

/// The data symbols with contents, in the order of their addresses.
fn in_order(module: &Module) -> Result<Vec<Placing<'_>>> {
    let mut list = Vec::new();
    for (id, data) in module.datas.iter() {
        match &data.kind {
            DataKind::Symbol {
                section,
                align_log2,
                size,
                undefined: false,
                ..
            } => list.push(Placing {
                group: group(section, data),
                section: if is_identifier(section) { section } else { "" },
                id,
                size: *size,
                align: 1 << align_log2.min(&31),
            }),
            DataKind::Symbol { .. } | DataKind::Alias { .. } => {}
            DataKind::Active { .. } | DataKind::Passive => {
                return unsupported("segments with fixed places beside data symbols");
            }
        }
    }
    list.sort_by_key(|p| (p.group, p.section, p.id));
    Ok(list)
}

/// The address of a symbol that the linker provides.
fn linkers(
    data: &DataData,
    stack: u64,
    data_start: u64,
    layout: &Layout,
    sections: &FxHashMap<&str, Extent>,
) -> Option<u64> {
    Some(match data.symbol.name.as_deref()? {
        "__data_end" => layout.data_end,
        "__heap_base" => layout.heap_base,
        "__heap_end" => layout.heap_base.next_multiple_of(PAGE),
        "__global_base" | "__dso_handle" => data_start,
        "__stack_high" => stack,
        "__stack_low" => 0,
        name => match (name.strip_prefix("__start_"), name.strip_prefix("__stop_")) {
            (Some(section), _) => sections.get(section)?.0,
            (_, Some(section)) => sections.get(section)?.1,
            (None, None) => return None,
        },
    })
}

/// Zeros between data from which on another segment is smaller, and memory stays bounded by the input.
const GAP: u32 = 64;

/// The bytes of data symbols, in order of address, in as many segments as their gaps ask for.
pub(super) fn images(
    module: &Module,
    addresses: &SecondaryMap<Data, u32>,
    placed: &[Data],
) -> Vec<(u32, Vec<u8>)> {
    let mut images: Vec<(u32, Vec<u8>)> = Vec::new();
    for &id in placed {
        let bytes = &module.datas[id].bytes;
        let len = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |i| i + 1);
        if len == 0 {
            continue;
        }
        let address = addresses[id];
        match images.last_mut() {
            Some((start, image)) if address - *start <= image.len() as u32 + GAP => {
                image.resize((address - *start) as usize, 0);
                image.extend_from_slice(&bytes[..len]);
            }
            _ => images.push((address, bytes[..len].to_vec())),
        }
    }
    images
}
