//! Statics and the memory of constants as data symbols with relocations.

use crate::cx::CodegenCx;
use crate::value::{Scalar, Value};
use rustc_abi::{Align, Size};
use rustc_codegen_ssa::traits::{PreDefineCodegenMethods, StaticCodegenMethods};
use rustc_hir::attrs::Linkage as RustLinkage;
use rustc_hir::def_id::{DefId, LOCAL_CRATE};
use rustc_middle::middle::codegen_fn_attrs::CodegenFnAttrFlags;
use rustc_middle::mir::interpret::{Allocation, ConstAllocation, read_target_uint};
use rustc_middle::mono::Visibility;
use rustc_middle::ty::layout::FnAbiOf;
use rustc_middle::ty::{self, Instance};
use rustc_span::sym;
use wasmir::{
    CustomSection, Data, DataData, DataKind, Global, GlobalData, Import, Item, Linkage, Reloc, RelocKind, RelocTarget,
    SectionPlace, Symbol, Type,
};

/// The linkage of a definition.
pub(crate) fn linkage(linkage: RustLinkage) -> Linkage {
    match linkage {
        RustLinkage::External | RustLinkage::AvailableExternally => Linkage::Strong,
        RustLinkage::LinkOnceAny
        | RustLinkage::LinkOnceODR
        | RustLinkage::WeakAny
        | RustLinkage::WeakODR
        | RustLinkage::Common => Linkage::Weak,
        RustLinkage::Internal => Linkage::Local,
        RustLinkage::ExternalWeak => Linkage::UndefinedWeak,
    }
}

impl<'tcx> CodegenCx<'tcx> {
    /// A new data symbol that only this unit sees.
    pub(crate) fn anonymous_data(
        &self,
        kind: &str,
        bytes: Vec<u8>,
        relocs: Vec<Reloc>,
        align: Align,
        mutable: bool,
    ) -> Data {
        let name = self.anonymous(kind);
        let data = DataData {
            kind: data_kind(&name, &bytes, &relocs, align, mutable),
            bytes: trim(bytes).into(),
            relocs,
            symbol: Symbol::local(name),
        };
        self.module.borrow_mut().datas.push(data)
    }

    /// The memory of a constant as a data symbol; equal constants share one.
    pub(crate) fn const_data(&self, alloc: ConstAllocation<'tcx>, kind: &str) -> Data {
        if let Some(&data) = self.const_allocs.borrow().get(&alloc) {
            return data;
        }
        // A constant cannot refer to itself, so the recursion over its relocations ends.
        let (bytes, relocs) = self.alloc_bytes(alloc.inner());
        let mutable = alloc.inner().mutability.is_mut();
        let data = self.anonymous_data(kind, bytes, relocs, alloc.inner().align, mutable);
        self.const_allocs.borrow_mut().insert(alloc, data);
        data
    }

    /// The symbol of a static, declared if this unit does not define it.
    pub(crate) fn static_data(&self, def_id: DefId) -> Data {
        if let Some(&data) = self.statics.borrow().get(&def_id) {
            return data;
        }
        let tcx = self.tcx;
        let name = tcx.symbol_name(Instance::mono(tcx, def_id)).name;
        let attrs = tcx.codegen_fn_attrs(def_id);
        if let Some(rust) = attrs.import_linkage {
            let data = self.weak_pointer(name, rust);
            self.statics.borrow_mut().insert(def_id, data);
            return data;
        }
        let data = self.named_data(name, Linkage::Undefined);
        self.module.borrow_mut().datas[data].symbol.tls = self.is_thread_local(def_id);
        self.statics.borrow_mut().insert(def_id, data);
        data
    }

    /// The data symbol of this name, declared with this linkage if the unit does not know it: a static may be declared in several
    /// places, and be defined in the same unit.
    fn named_data(&self, name: &str, linkage: Linkage) -> Data {
        if let Some(&data) = self.datas_by_name.borrow().get(name) {
            return data;
        }
        let data = self.module.borrow_mut().datas.push(DataData {
            kind: DataKind::Symbol { align_log2: 0, section: String::new(), size: 0, strings: false, undefined: true },
            bytes: Vec::new().into(),
            relocs: Vec::new(),
            symbol: Symbol { name: Some(name.to_owned()), linkage, ..Symbol::default() },
        });
        self.datas_by_name.borrow_mut().insert(name.to_owned(), data);
        data
    }

    /// A foreign static with `#[linkage]`: its value is the address of the symbol, null if nothing defines that.
    fn weak_pointer(&self, name: &str, rust: RustLinkage) -> Data {
        let undefined = if rust == RustLinkage::ExternalWeak { Linkage::UndefinedWeak } else { Linkage::Undefined };
        let target = self.named_data(name, undefined);
        let reloc = Reloc {
            offset: 0,
            kind: RelocKind::MemoryAddrI32,
            target: RelocTarget::Item(Item::Data(target)),
            addend: 0,
        };
        self.anonymous_data("weak", vec![0; 4], vec![reloc], Align::from_bytes(4).unwrap_or(Align::ONE), false)
    }

    /// Whether every thread has a static of its own. Without threads such a static is an ordinary one, as in LLVM.
    pub(crate) fn is_thread_local(&self, def_id: DefId) -> bool {
        let attrs = self.tcx.codegen_fn_attrs(def_id);
        attrs.flags.contains(CodegenFnAttrFlags::THREAD_LOCAL)
            && self.tcx.sess.unstable_target_features.contains(&sym::atomics)
    }

    /// The address of the thread's own block of thread-local data.
    pub(crate) fn thread_block(&self) -> Global {
        if let Some(global) = self.thread_block.get() {
            return global;
        }
        // The linker makes it, as it makes what gives each thread its block (`__wasm_init_tls`).
        let global = self.module.borrow_mut().globals.push(GlobalData {
            ty: Type::I32,
            mutable: true,
            shared: false,
            init: None,
            import: Some(Import { module: "env".to_owned(), name: "__tls_base".to_owned() }),
            symbol: Symbol { name: Some("__tls_base".to_owned()), linkage: Linkage::Undefined, ..Symbol::default() },
        });
        self.thread_block.set(Some(global));
        global
    }

    /// Has the functions that a static points to called before `main`, in the order of their priorities.
    fn run_at_start(&self, def_id: DefId, priority: u32, relocs: &[Reloc]) {
        for reloc in relocs {
            match reloc.target {
                RelocTarget::Item(Item::Func(func)) => self.module.borrow_mut().init_funcs.push((priority, func)),
                _ => self.unsupported(self.tcx.def_span(def_id), "pointers to data in `.init_array`"),
            }
        }
    }

    /// Bytes and relocations of an allocation. Uninitialised bytes are whatever the interpreter holds for them.
    fn alloc_bytes(&self, alloc: &Allocation) -> (Vec<u8>, Vec<Reloc>) {
        let mut bytes = alloc.inspect_with_uninit_and_ptr_outside_interpreter(0..alloc.len()).to_vec();
        let mut relocs = Vec::with_capacity(alloc.provenance().ptrs().len());
        for &(offset, provenance) in alloc.provenance().ptrs().iter() {
            let place = offset.bytes_usize()..(offset + Size::from_bytes(4)).bytes_usize();
            let addend = read_target_uint(self.tcx.data_layout.endian, &bytes[place.clone()])
                .unwrap_or_else(|error| rustc_middle::bug!("a relocated word that cannot be read: {error}"));
            match self.global_alloc_item(provenance.alloc_id()) {
                Ok(item) => {
                    bytes[place].fill(0);
                    let kind = match item {
                        Item::Func(_) => RelocKind::TableIndexI32,
                        _ => RelocKind::MemoryAddrI32,
                    };
                    relocs.push(Reloc {
                        offset: offset.bytes() as u32,
                        kind,
                        target: RelocTarget::Item(item),
                        addend: addend as u32 as i32 as i64,
                    });
                }
                Err(address) => {
                    let address = (address as u32).wrapping_add(addend as u32);
                    bytes[place].copy_from_slice(&address.to_le_bytes());
                }
            }
        }
        (bytes, relocs)
    }
}

/// The priority of functions in a section of this name, which are to run before `main`; `None` for any other section. Without a number
/// it is the last of all, as in C.
fn init_priority(section: &str) -> Option<u32> {
    match section.strip_prefix(".init_array")? {
        "" => Some(65_535),
        rest => rest.strip_prefix('.')?.parse().ok(),
    }
}

/// Where data of this kind goes, under LLVM's section names: one section per symbol, so that the linker drops what
/// nothing refers to.
fn data_kind(name: &str, bytes: &[u8], relocs: &[Reloc], align: Align, mutable: bool) -> DataKind {
    let zero = relocs.is_empty() && bytes.iter().all(|&byte| byte == 0);
    let section = match (mutable, zero) {
        (_, true) => ".bss.",
        (true, false) => ".data.",
        (false, false) => ".rodata.",
    };
    DataKind::Symbol {
        align_log2: align.bytes().trailing_zeros() as u8,
        section: format!("{section}{name}"),
        size: bytes.len() as u32,
        strings: false,
        undefined: false,
    }
}

/// The same for thread-local data.
fn thread_local_kind(name: &str, bytes: &[u8], relocs: &[Reloc], align: Align) -> DataKind {
    let mut kind = data_kind(name, bytes, relocs, align, true);
    if let DataKind::Symbol { section, .. } = &mut kind {
        let zero = section.starts_with(".bss.");
        *section = format!("{}{name}", if zero { ".tbss." } else { ".tdata." });
    }
    kind
}

/// Leaves out the bytes of all-zero data, which the linker fills in.
fn trim(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.iter().all(|&byte| byte == 0) { Vec::new() } else { bytes }
}

impl<'tcx> StaticCodegenMethods for CodegenCx<'tcx> {
    fn static_addr_of(&self, alloc: ConstAllocation<'_>, kind: Option<&str>) -> Value {
        let alloc = self.tcx.lift(alloc).unwrap_or_else(|| rustc_middle::bug!("a constant of another compilation"));
        let data = self.const_data(alloc, kind.unwrap_or("anon"));
        Value::Addr(Scalar::Ptr, Item::Data(data), 0)
    }

    fn codegen_static(&mut self, def_id: DefId) {
        let tcx = self.tcx;
        // An error has been reported where evaluation failed.
        let Ok(alloc) = tcx.eval_static_initializer(def_id) else { return };
        let alloc = alloc.inner();
        let attrs = tcx.codegen_fn_attrs(def_id);
        let (bytes, relocs) = self.alloc_bytes(alloc);
        let data = self.statics.borrow()[&def_id];
        let section = attrs.link_section.map(|section| section.to_string());
        if let Some(priority) = section.as_deref().and_then(init_priority) {
            self.run_at_start(def_id, priority, &relocs);
        } else if let Some(section) = section {
            // As in LLVM for wasm: the bytes become a custom section of the final module.
            let custom =
                CustomSection { name: section, bytes: bytes.into(), place: SectionPlace::Data, relocs: Vec::new() };
            if !relocs.is_empty() {
                self.unsupported(tcx.def_span(def_id), "pointers in a static with `#[link_section]`");
            }
            self.module.borrow_mut().customs.push(custom);
            return;
        }
        let used = attrs.flags.intersects(CodegenFnAttrFlags::USED_COMPILER | CodegenFnAttrFlags::USED_LINKER);
        let mut module = self.module.borrow_mut();
        let entry = &mut module.datas[data];
        let name = entry.symbol.name.clone().unwrap_or_default();
        entry.kind = match entry.symbol.tls {
            true => thread_local_kind(&name, &bytes, &relocs, alloc.align),
            false => data_kind(&name, &bytes, &relocs, alloc.align, alloc.mutability.is_mut()),
        };
        entry.bytes = trim(bytes).into();
        entry.relocs = relocs;
        entry.symbol.used = used;
    }
}

impl<'tcx> PreDefineCodegenMethods<'tcx> for CodegenCx<'tcx> {
    fn predefine_static(&mut self, def_id: DefId, rust: RustLinkage, visibility: Visibility, _symbol_name: &str) {
        let data = self.static_data(def_id);
        let symbol = &mut self.module.get_mut().datas[data].symbol;
        symbol.linkage = linkage(rust);
        symbol.hidden = visibility != Visibility::Default;
    }

    fn predefine_fn(&mut self, instance: Instance<'tcx>, rust: RustLinkage, visibility: Visibility, symbol_name: &str) {
        let tcx = self.tcx;
        let sig = self.fn_abi_sig(self.fn_abi_of_instance(instance, ty::List::empty()));
        let hidden = visibility != Visibility::Default
            || (rust != RustLinkage::Internal && tcx.is_compiler_builtins(LOCAL_CRATE));
        let attrs = tcx.codegen_instance_attrs(instance.def);
        let func = self.declare(symbol_name, sig, linkage(rust), hidden);
        let symbol = &mut self.module.get_mut().funcs[func].symbol;
        symbol.used = attrs.flags.intersects(CodegenFnAttrFlags::USED_COMPILER | CodegenFnAttrFlags::USED_LINKER);
        self.funcs.borrow_mut().insert(instance, func);
    }
}
