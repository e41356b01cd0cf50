//! Loads, stores and side operators.
//!
//! What CLIF says with the same trapping behaviour becomes a CLIF load or store in the memory's alias region; everything else (other
//! memories' odd accesses, offsets that do not fit, lanes) is a side operator with its final bytes.

use super::Translator;
use crate::error::{ErrorKind, Result};
use crate::fields::Code;
use crate::ops::Effects;
use cranelift_codegen::ir::{InstBuilder, Opcode as Clif, types};
use wasmir::{Local, Memory, Opcode};

impl Translator<'_, '_> {
    pub(super) fn load(
        &mut self,
        op: Opcode,
        access: wasmir::Access,
        dst: Local,
        addr: Local,
        memory: Memory,
        offset: u64,
    ) -> Result<()> {
        let info = op.info();
        let clif = match (info.prefix, info.code) {
            (0, 0x28) => (Clif::Load, types::I32, 2),
            (0, 0x29) => (Clif::Load, types::I64, 3),
            (0, 0x2a) => (Clif::Load, types::F32, 2),
            (0, 0x2b) => (Clif::Load, types::F64, 3),
            (0, 0x2c) => (Clif::Sload8, types::I32, 0),
            (0, 0x2d) => (Clif::Uload8, types::I32, 0),
            (0, 0x2e) => (Clif::Sload16, types::I32, 1),
            (0, 0x2f) => (Clif::Uload16, types::I32, 1),
            (0, 0x30) => (Clif::Sload8, types::I64, 0),
            (0, 0x31) => (Clif::Uload8, types::I64, 0),
            (0, 0x32) => (Clif::Sload16, types::I64, 1),
            (0, 0x33) => (Clif::Uload16, types::I64, 1),
            (0, 0x34) => (Clif::Sload32, types::I64, 2),
            (0, 0x35) => (Clif::Uload32, types::I64, 2),
            (0xff, 0x1d) => (Clif::Load, types::I8, 0),
            (0xff, 0x3c) => (Clif::Load, types::I16, 1),
            (0xff, 0x5b) => (Clif::Load, types::I128, 4),
            (0xfd, 0) => (Clif::Load, types::I8X16, 4),
            _ => (Clif::Nop, types::I32, 0),
        };
        let (opcode, ty, natural) = clif;
        let Ok(offset32) = i32::try_from(offset) else {
            return self.memory_side(op, access, memory, offset, &[dst], &[addr]);
        };
        if opcode == Clif::Nop || access.is_volatile() {
            return self.memory_side(op, access, memory, offset, &[dst], &[addr]);
        }
        let p = self.get(addr)?;
        let flags = self.mem_flags(memory, access.align_log2() == natural);
        let v = match opcode {
            Clif::Load => self.b.ins().load(ty, flags, p, offset32),
            Clif::Sload8 => self.b.ins().sload8(ty, flags, p, offset32),
            Clif::Uload8 => self.b.ins().uload8(ty, flags, p, offset32),
            Clif::Sload16 => self.b.ins().sload16(ty, flags, p, offset32),
            Clif::Uload16 => self.b.ins().uload16(ty, flags, p, offset32),
            Clif::Sload32 => self.b.ins().sload32(flags, p, offset32),
            _ => self.b.ins().uload32(flags, p, offset32),
        };
        self.def(dst, v)
    }

    pub(super) fn store(
        &mut self,
        op: Opcode,
        access: wasmir::Access,
        addr: Local,
        value: Local,
        memory: Memory,
        offset: u64,
    ) -> Result<()> {
        let info = op.info();
        let (width, natural) = match (info.prefix, info.code) {
            (0, 0x36 | 0x38) => (0, 2),
            (0, 0x37 | 0x39) => (0, 3),
            (0, 0x3a | 0x3c) => (8, 0),
            (0, 0x3b | 0x3d) => (16, 1),
            (0, 0x3e) => (32, 2),
            (0xff, 0x1e) => (0, 0),
            (0xff, 0x3d) => (0, 1),
            (0xff, 0x5c) | (0xfd, 11) => (0, 4),
            _ => (u32::MAX, 0),
        };
        let Ok(offset32) = i32::try_from(offset) else {
            return self.memory_side(op, access, memory, offset, &[], &[addr, value]);
        };
        if width == u32::MAX || access.is_volatile() {
            return self.memory_side(op, access, memory, offset, &[], &[addr, value]);
        }
        let (p, v) = (self.get(addr)?, self.get(value)?);
        let flags = self.mem_flags(memory, access.align_log2() == natural);
        match width {
            8 => self.b.ins().istore8(flags, v, p, offset32),
            16 => self.b.ins().istore16(flags, v, p, offset32),
            32 => self.b.ins().istore32(flags, v, p, offset32),
            _ => self.b.ins().store(flags, v, p, offset32),
        };
        Ok(())
    }

    pub(super) fn memory_side(
        &mut self,
        op: Opcode,
        access: wasmir::Access,
        memory: Memory,
        offset: u64,
        results: &[Local],
        args: &[Local],
    ) -> Result<()> {
        let imm = wasmir::Imm::Memarg(wasmir::MemArg {
            memory,
            offset,
            access,
        });
        self.side_operator(op, Some(imm), results, args)
    }

    /// An operator by its own bytes.
    pub(super) fn side_operator(
        &mut self,
        op: Opcode,
        imm: Option<wasmir::Imm>,
        results: &[Local],
        args: &[Local],
    ) -> Result<()> {
        let info = op.info();
        if info.prefix == wasmir::WASMIR_PREFIX {
            return Err(ErrorKind::Unsupported(format!(
                "{} in this form",
                info.name
            )));
        }
        let mut code = Code::new(&[], self.numbers.relocatable);
        let typed_select =
            info.prefix == 0 && info.code == 0x1b && self.body.locals[results[0]].is_ref();
        if typed_select {
            code.bytes.extend([0x1c, 1]);
            wasm_encoder::Encode::encode(
                &self.numbers.val_type(self.body.locals[results[0]]),
                &mut code.bytes,
            );
        } else if info.prefix == 0 {
            code.bytes.push(info.code as u8);
        } else {
            code.bytes.push(info.prefix);
            code.number(u64::from(info.code));
        }
        if info.imm == wasmir::ImmKind::Fence {
            code.bytes.push(0);
        }
        if let Some(imm) = imm {
            // Nullability of casts is in the operator; the heap type follows.
            self.numbers.immediate(&imm, &mut code);
        }
        let traits = op.traits();
        let effects = if traits.is_pure() {
            Effects::NONE
        } else {
            Effects::SIDE
        };
        self.side(code, effects, results, args, false)
    }
}
