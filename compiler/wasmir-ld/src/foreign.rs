//! The symbols of objects that hold machine code of their own: C's, LLVM's, wasi-libc's.
//!
//! Only what linking WasmIR needs to know of them: which names they define and which they want. The format is that of the
//! tool conventions, `Linking.md`: a symbol table in the section `linking`, in which an imported entity has its import's name
//! unless it says otherwise.

use crate::cursor::Cursor;
use crate::envelope::for_each_section;

/// What an object says of names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Symbols {
    /// Names it defines for others.
    pub(crate) defined: Vec<String>,
    /// Names it cannot do without.
    pub(crate) undefined: Vec<String>,
    /// Names it takes if they are there.
    pub(crate) wanted: Vec<String>,
}

const WEAK: u32 = 0x1;
const LOCAL: u32 = 0x2;
const UNDEFINED: u32 = 0x10;
const EXPLICIT_NAME: u32 = 0x40;

/// Reads the symbols of an object. What cannot be read has none: `wasm-ld` will say what is wrong with it.
pub(crate) fn symbols(object: &[u8]) -> Symbols {
    read(object).unwrap_or_default()
}

fn read(object: &[u8]) -> Option<Symbols> {
    let (mut imports, mut linking) = (None, None);
    for_each_section(object, |id, name, range| match (id, name) {
        (2, _) => imports = Some(range),
        (0, b"linking") => linking = Some(range),
        _ => {}
    })?;
    let imports = match imports {
        Some(range) => read_imports(&object[range])?,
        None => Imports::default(),
    };
    let mut out = Symbols::default();
    let mut linking = Cursor::new(&object[linking?]);
    let _version = linking.u32()?;
    while !linking.at_end() {
        let kind = linking.byte()?;
        let len = linking.u32()?;
        let contents = linking.take(len as usize)?;
        if kind == 8 {
            table(&mut Cursor::new(contents), &imports, &mut out)?;
        }
    }
    Some(out)
}

/// The names of imports by kind: function, table, memory, global, tag.
type Imports<'a> = [Vec<&'a [u8]>; 5];

fn read_imports(section: &[u8]) -> Option<Imports<'_>> {
    let mut imports = Imports::default();
    let mut cursor = Cursor::new(section);
    for _ in 0..cursor.u32()? {
        let (_module, name) = (cursor.name()?, cursor.name()?);
        let kind = cursor.byte()?;
        match kind {
            0 => drop(cursor.u32()?),
            1 => {
                value_type(&mut cursor)?;
                limits(&mut cursor)?;
            }
            2 => limits(&mut cursor)?,
            3 => {
                value_type(&mut cursor)?;
                cursor.byte()?;
            }
            4 => {
                cursor.byte()?;
                cursor.u32()?;
            }
            _ => return None,
        }
        imports[usize::from(kind)].push(name);
    }
    Some(imports)
}

fn value_type(cursor: &mut Cursor<'_>) -> Option<()> {
    // `ref` and `ref null` have a heap type after them.
    if matches!(cursor.byte()?, 0x63 | 0x64) {
        cursor.u64()?;
    }
    Some(())
}

fn limits(cursor: &mut Cursor<'_>) -> Option<()> {
    let flags = cursor.u32()?;
    cursor.u64()?;
    if flags & 1 != 0 {
        cursor.u64()?;
    }
    if flags & 8 != 0 {
        cursor.u32()?;
    }
    Some(())
}

fn table(cursor: &mut Cursor<'_>, imports: &Imports<'_>, out: &mut Symbols) -> Option<()> {
    for _ in 0..cursor.u32()? {
        let kind = cursor.byte()?;
        let flags = cursor.u32()?;
        let undefined = flags & UNDEFINED != 0;
        let name: &[u8] = match kind {
            0 | 2 | 4 | 5 => {
                let index = cursor.u32()? as usize;
                if !undefined || flags & EXPLICIT_NAME != 0 {
                    cursor.name()?
                } else {
                    let space = match kind {
                        0 => 0,
                        2 => 3,
                        4 => 4,
                        _ => 1,
                    };
                    imports[space].get(index)?
                }
            }
            1 => {
                let name = cursor.name()?;
                if !undefined {
                    cursor.u32()?;
                    cursor.u64()?;
                    cursor.u64()?;
                }
                name
            }
            3 => {
                cursor.u32()?;
                continue;
            }
            _ => return None,
        };
        if flags & LOCAL != 0 {
            continue;
        }
        let list = match (undefined, flags & WEAK != 0) {
            (false, _) => &mut out.defined,
            (true, false) => &mut out.undefined,
            (true, true) => &mut out.wanted,
        };
        list.push(String::from_utf8_lossy(name).into_owned());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_own_objects_say_is_read_back() {
        let text = r#"wasmir 1
            relocatable
            type type0 = func() -> ()
            func %needed type0 undefined
            func %perhaps type0 undefined_weak
            func %own type0 {
            b0:
              return
            }
            func %shared type0 weak {
            b0:
              call %needed()
              call %perhaps()
              call %own()
              return
            }
            data %table strong symbol ".rodata.table" align 4 size 4 "abcd"
        "#;
        let module = wasmir::parse_module(text).unwrap_or_else(|error| panic!("{error}"));
        let object = codegen_cranelift::emit_object(module, &Default::default()).unwrap();
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let found = symbols(&object);
        assert_eq!(found.defined, names(&["shared", "table"]));
        assert_eq!(found.undefined, names(&["needed"]));
        assert_eq!(found.wanted, names(&["perhaps"]));
        for len in 0..object.len() {
            // No panic, whatever is missing.
            symbols(&object[..len]);
        }
    }
}
