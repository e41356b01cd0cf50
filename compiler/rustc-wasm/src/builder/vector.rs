//! Vectors: 16 bytes in a local of type `v128`, or any number of lanes as values of their own.
//!
//! What wasm has an operator for works on `v128`; everything else, and every vector of another size, goes lane by lane. A
//! vector that was made lane by lane stays a list of values ([`Value::Lanes`]) until it is needed whole, so a chain of such
//! operations costs no memory traffic.

use super::Builder;
use crate::ops::{self, IntOp};
use crate::value::{Scalar, Type, Value};
use rustc_middle::bug;
use wasmir::{Imm, Inst, Local, Opcode, Type as W};

/// The shape of a vector in the names of wasm's operators; `None` for those that `v128` does not hold so.
pub(crate) fn shape(elem: Scalar, count: usize) -> Option<&'static str> {
    Some(match (elem, count) {
        (Scalar::Int(8), 16) => "i8x16",
        (Scalar::Int(16), 8) => "i16x8",
        (Scalar::Int(32) | Scalar::Ptr, 4) => "i32x4",
        (Scalar::Int(64), 2) => "i64x2",
        (Scalar::F32, 4) => "f32x4",
        (Scalar::F64, 2) => "f64x2",
        _ => return None,
    })
}

/// The same for vectors whose lanes are masks or plain bits, where `f32x4` is as good as `i32x4`.
pub(crate) fn bits_shape(elem: Scalar, count: usize) -> Option<&'static str> {
    Some(match shape(elem, count)? {
        "f32x4" => "i32x4",
        "f64x2" => "i64x2",
        other => other,
    })
}

impl<'a, 'tcx> Builder<'a, 'tcx> {
    /// Element type and number of lanes.
    pub(crate) fn vector_type_of(&self, value: Value) -> (Scalar, usize) {
        match self.cx.type_of(value) {
            Type::Vector(elem, count) => (elem, count as usize),
            other => bug!("{other:?} is not a vector"),
        }
    }

    /// A vector by its lanes.
    pub(crate) fn from_lanes(&self, elem: Scalar, lanes: Vec<Value>) -> Value {
        self.cx.lanes(elem, lanes)
    }

    /// The lanes of a vector.
    pub(crate) fn to_lanes(&mut self, value: Value) -> Vec<Value> {
        let (elem, count) = self.vector_type_of(value);
        match value {
            Value::Lanes(_, _, index) => self.cx.lane_lists.borrow()[index as usize].clone(),
            Value::Undef(_) => vec![Value::Undef(Type::Scalar(elem)); count],
            _ => {
                let whole = self.use_value(value);
                (0..count).map(|lane| self.extract_lane(whole, elem, lane)).collect()
            }
        }
    }

    /// One lane of a vector in a local.
    fn extract_lane(&mut self, whole: Local, elem: Scalar, lane: usize) -> Value {
        let (op, ty) = match elem.wir() {
            W::I8 => (Opcode::I8x16ExtractLaneU, W::I32),
            W::I16 => (Opcode::I16x8ExtractLaneU, W::I32),
            W::I32 => (Opcode::I32x4ExtractLane, W::I32),
            W::I64 => (Opcode::I64x2ExtractLane, W::I64),
            W::F32 => (Opcode::F32x4ExtractLane, W::F32),
            W::F64 => (Opcode::F64x2ExtractLane, W::F64),
            _ => {
                // One lane fills the vector.
                let slot = self.alloca_bytes(16, 4);
                let ty = Type::Vector(elem, 1);
                self.store_value(Value::Local(ty, whole), slot, 4, false);
                return self.load_value(Type::Scalar(elem), slot, 4, false);
            }
        };
        let local = self.general(op, Some(Imm::Lane(lane as u8)), Some(ty), &[whole]);
        match local {
            Some(local) => {
                let local = self.narrow(elem, local);
                self.value(elem, local)
            }
            None => bug!("{op:?} has a result"),
        }
    }

    /// An operator with immediates; gives back the local of its result.
    pub(crate) fn general(&self, op: Opcode, imm: Option<Imm>, result: Option<W>, args: &[Local]) -> Option<Local> {
        let dst = result.map(|ty| self.local(ty));
        let (imm, operands) = self.with(|state| {
            let imm = imm.map(|imm| state.body.pool.imms.push(imm));
            (imm.into(), state.body.pool.operands(dst.as_slice(), args))
        });
        self.push(Inst::Op { op, imm, operands });
        dst
    }

    /// The operator of that name on whole vectors, whose result is a vector.
    pub(crate) fn whole(&mut self, op: Opcode, ty: Type, args: &[Value]) -> Value {
        let args: Vec<Local> = args.iter().map(|&arg| self.use_value(arg)).collect();
        let result = match args[..] {
            [a] => self.unary(op, W::V128, a),
            [a, b] => self.binary(op, W::V128, a, b),
            [a, b, c] => self.ternary(op, W::V128, a, b, c),
            _ => bug!("{op:?} on {} operands", args.len()),
        };
        Value::Local(ty, result)
    }

    /// A vector given by its lanes in a local of type `v128`.
    pub(super) fn gather_lanes(&self, elem: Scalar, index: u32) -> Local {
        let lanes = self.cx.lane_lists.borrow()[index as usize].clone();
        if elem.bytes() * lanes.len() as u64 != 16 {
            bug!("{} lanes of {elem:?} in one local", lanes.len());
        }
        let bits = elem.bytes() as u32 * 8;
        let known = lanes.iter().enumerate().try_fold(0u128, |all, (at, lane)| match *lane {
            Value::Const(_, value) => Some(all | value << (at as u32 * bits)),
            Value::Undef(_) => Some(all),
            _ => None,
        });
        if let Some(constant) = known {
            return self.constant(W::V128, constant);
        }
        let (splat, replace) = match elem.wir() {
            W::I8 => (Opcode::I8x16Splat, Opcode::I8x16ReplaceLane),
            W::I16 => (Opcode::I16x8Splat, Opcode::I16x8ReplaceLane),
            W::I32 => (Opcode::I32x4Splat, Opcode::I32x4ReplaceLane),
            W::I64 => (Opcode::I64x2Splat, Opcode::I64x2ReplaceLane),
            W::F32 => (Opcode::F32x4Splat, Opcode::F32x4ReplaceLane),
            W::F64 => (Opcode::F64x2Splat, Opcode::F64x2ReplaceLane),
            _ => return self.single_lane(lanes[0]),
        };
        let first = self.widen(lanes[0], false);
        let mut whole = self.unary(splat, W::V128, first);
        for (at, &lane) in lanes.iter().enumerate().skip(1) {
            if lane == lanes[0] || matches!(lane, Value::Undef(_)) {
                continue;
            }
            let lane = self.widen(lane, false);
            if let Some(next) = self.general(replace, Some(Imm::Lane(at as u8)), Some(W::V128), &[whole, lane]) {
                whole = next;
            }
        }
        whole
    }

    /// A 128-bit value as a vector.
    fn single_lane(&self, lane: Value) -> Local {
        let value = self.use_value(lane);
        let low = self.unary(Opcode::I64WrapI128, W::I64, value);
        let by = self.i32(64);
        let high = self.binary(Opcode::I128ShrU, W::I128, value, by);
        let high = self.unary(Opcode::I64WrapI128, W::I64, high);
        let splat = self.unary(Opcode::I64x2Splat, W::V128, low);
        let replaced = self.general(Opcode::I64x2ReplaceLane, Some(Imm::Lane(1)), Some(W::V128), &[splat, high]);
        replaced.unwrap_or(splat)
    }

    /// The vector that `f` makes of each lane.
    pub(crate) fn map_lanes(&mut self, to: Scalar, a: Value, mut f: impl FnMut(&mut Self, Value) -> Value) -> Value {
        let lanes = self.to_lanes(a);
        let lanes = lanes.into_iter().map(|lane| f(self, lane)).collect();
        self.from_lanes(to, lanes)
    }

    /// The vector that `f` makes of each pair of lanes.
    pub(crate) fn zip_lanes(
        &mut self,
        to: Scalar,
        a: Value,
        b: Value,
        mut f: impl FnMut(&mut Self, Value, Value) -> Value,
    ) -> Value {
        let (a, b) = (self.to_lanes(a), self.to_lanes(b));
        let lanes = a.into_iter().zip(b).map(|(a, b)| f(self, a, b)).collect();
        self.from_lanes(to, lanes)
    }

    /// The value that every lane of a vector has, if that is known.
    pub(crate) fn splatted(&self, value: Value) -> Option<Value> {
        let Value::Lanes(_, _, index) = value else { return None };
        let lists = self.cx.lane_lists.borrow();
        let lanes = &lists[index as usize];
        let first = *lanes.first()?;
        lanes.iter().all(|&lane| lane == first).then_some(first)
    }

    /// The bit of a lane of a mask that decides: the top one.
    pub(crate) fn mask_bit(&mut self, lane: Value) -> Value {
        let scalar = self.scalar_of(lane);
        let by = Value::Const(scalar, u128::from(scalar.bits() - 1));
        let bit = self.int_op(IntOp::ShrU, lane, by);
        self.cast_int(bit, Type::BOOL, false)
    }

    /// Loads a vector whose lanes are values of their own.
    pub(super) fn load_lanes(&mut self, elem: Scalar, count: u32, pointer: Value, align: u8, volatile: bool) -> Value {
        let lanes = (0..u64::from(count)).map(|lane| {
            let at = self.offset(pointer, lane * elem.bytes());
            self.load_value(Type::Scalar(elem), at, align.min(ops::log2(elem.bytes())), volatile)
        });
        let lanes = lanes.collect();
        self.from_lanes(elem, lanes)
    }

    /// Stores a vector lane by lane.
    pub(super) fn store_lanes(&mut self, value: Value, pointer: Value, align: u8, volatile: bool) {
        let (elem, _) = self.vector_type_of(value);
        for (lane, value) in self.to_lanes(value).into_iter().enumerate() {
            let at = self.offset(pointer, lane as u64 * elem.bytes());
            self.store_value(value, at, align.min(ops::log2(elem.bytes())), volatile);
        }
    }
}
