//! Results of the pipeline that are kept from one run to the next.
//!
//! # Algorithm
//! What becomes of a function is the value of a function of its *inputs*: the body as it was, the options, the convention of frames, and
//! [`Facts`], the neighbours that it is shown. The passes get nothing else, so nothing else can be missing from the key, which is the hash of these
//! inputs in canonical form:
//!
//! * the body with [`Names`] in the place of entities;
//! * for each function named so far whether it is known, its summary, and, if it may be copied, a digest of its finished body
//!   and what that body's names are among the caller's names. What such a callee mentions is named after what the body itself mentions, so that
//!   equalities between the two are part of the key.
//!
//! So a function is worked on again when its body changed, or when something changed of a callee that the passes could see: an edit that
//! leaves a callee's finished body and summary as they were goes no further up.
//!
//! What will be the worker of a function ([`super::split`]) is among the names from the start, as if the function mentioned it; callers see
//! it as they see what any body they copy mentions.
//!
//! A record holds the finished body in names of its own, and the places that these have among the names of the inputs.
//!
//! # Invariants
//! * A module is the same with and without kept results, whatever they hold (names of entities are opaque to passes: none orders them or
//!   depends on their numbers).
//! * What cannot be read is a miss.
//!
//! # Cost
//! Linear in the bodies: one walk to name, one to write, a hash; of a hit, reading the finished body.

use super::facts::{Facts, Made, Worker};
use super::frame::{self, ParamUse, Summary};
use super::pipeline::{Options, Stats};
use super::{branch, dce, memory};
use crate::binary::decode_value;
use crate::binary::wire::{Source, Wire, wire_enum, wire_struct};
use crate::body::Body;
use crate::entities::Global;
use crate::leb::Result;
use crate::names::Names;
use sha2::{Digest, Sha256};

/// The name of a result: a cryptographic hash of all that it depends on.
pub type Key = [u8; 32];

/// Where results are kept. Whoever makes one sees to it that what another version of the passes left is not found.
pub trait Results: Sync {
    /// What was kept under a key.
    fn get(&self, key: &Key) -> Option<Vec<u8>>;
    /// Keeps something.
    fn insert(&self, key: Key, contents: Vec<u8>);
}

/// What tells a finished body from others: the same digest and the same names are the same body, for those who copy it.
#[derive(Debug)]
pub(super) struct Identity {
    digest: Key,
    names: Names,
}

/// What is kept of a function.
struct Record {
    /// With the body in canonical form.
    made: Made,
    digest: Key,
    /// The names of the body among those of the inputs.
    places: Vec<u32>,
    /// The same of the worker, if there is one.
    worker_digest: Option<Key>,
    worker_places: Vec<u32>,
}

/// What was made of a body, and what tells it and its worker from others.
type Told = (Made, Option<Identity>, Option<Identity>);

type FrameStats = frame::Stats;
type MemoryStats = memory::Stats;
type BranchStats = branch::Stats;
type DeadStats = dce::Stats;

wire_enum! {
    ParamUse { 0 Within { low, high }; 1 Escapes; }
}

wire_struct! {
    Summary { params, returns }
    FrameStats { slots, loads, stores, copies, frames, rebased }
    DeadStats { insts, loops, blocks, slots }
    MemoryStats { loads, stores }
    BranchStats { constants, branches, threads }
    Stats { calls, splits, frames, memory, branches, dead }
    Worker { body, weight, summary }
    Made { body, weight, summary, worker, stats }
    Record { made, digest, places, worker_digest, worker_places }
}

/// Results and what all functions of a module have in common.
pub(super) struct Kept<'a> {
    results: &'a dyn Results,
    salt: Vec<u8>,
    stack_pointer: Option<Global>,
}

impl<'a> Kept<'a> {
    pub(super) fn new(
        results: &'a dyn Results,
        options: &Options,
        frames: Option<frame::Context<'_>>,
    ) -> Kept<'a> {
        // Whoever gives the passes more to look at has to say here what becomes of it.
        let Options {
            inline,
            frames: _,
            memory,
            branches,
            dead,
        } = options;
        let context = frames.map(|context| {
            let frame::Context {
                memory,
                stack_pointer,
                callees: _,
                rebase,
            } = context;
            (memory, stack_pointer.is_some(), rebase)
        });
        Kept {
            results,
            salt: format!("{inline:?} {memory} {branches} {dead} {context:?}").into_bytes(),
            stack_pointer: frames.and_then(|context| context.stack_pointer),
        }
    }

    /// What becomes of `body`: what was kept of it, or what `make` makes.
    pub(super) fn get_or_make(
        &self,
        mut body: Box<Body>,
        facts: &Facts<'_>,
        make: impl FnOnce(Box<Body>) -> Made,
    ) -> Told {
        let mut inputs = Names::default();
        if let Some(global) = self.stack_pointer {
            // Frames may use it without a mention.
            inputs.globals.place(global);
        }
        if let Some(worker) = facts.worker {
            inputs.funcs.place(worker);
        }
        inputs.rewrite(&mut body);
        let key = self.key(&body, &mut inputs, facts);
        let found = key.and_then(|key| self.results.get(&key));
        if let Some(found) = found.and_then(|bytes| read(&bytes, &inputs)) {
            return found;
        }
        let complete = inputs.restore(&mut body);
        debug_assert!(complete, "names mean what they were given to");
        let mut made = make(body);
        let mut names = Names::default();
        names.rewrite(&mut made.body);
        let mut worker_names = Names::default();
        if let Some(worker) = &mut made.worker {
            worker_names.rewrite(&mut worker.body);
        }
        let digest = digest(&made);
        let worker_digest = made.worker.as_deref().map(worker_digest);
        let places = names.within(&inputs).zip(worker_names.within(&inputs));
        if let Some((key, (places, worker_places))) = key.zip(places) {
            let record = Record {
                made,
                digest,
                places,
                worker_digest,
                worker_places,
            };
            let mut bytes = Vec::new();
            record.put(&mut bytes);
            self.results.insert(key, bytes);
            made = record.made;
        }
        let complete = restore(&mut made, &names, &worker_names);
        debug_assert!(complete, "names mean what they were given to");
        let worker = worker_digest.map(|digest| Identity {
            digest,
            names: worker_names,
        });
        (made, Some(Identity { digest, names }), worker)
    }

    /// The key of a body in canonical form; adds to its names those of what may be copied into it. `None` if something has no identity.
    fn key(&self, body: &Body, inputs: &mut Names, facts: &Facts<'_>) -> Option<Key> {
        let mut text = Vec::new();
        self.salt.put(&mut text);
        facts.replaceable.put(&mut text);
        facts.single.put(&mut text);
        facts.worker.is_some().put(&mut text);
        body.put(&mut text);
        let mut place = 0;
        while let Some(func) = inputs.funcs.get(place) {
            place += 1;
            let known = facts.known(func);
            known.is_some().put(&mut text);
            let Some(known) = known else { continue };
            known.done.made.summary.put(&mut text);
            let copied = known.copied();
            copied.is_some().put(&mut text);
            let Some((done, _)) = copied else { continue };
            let Identity { digest, names } = done.identity.as_ref()?;
            known.single.put(&mut text);
            digest.put(&mut text);
            inputs.add(names, |place| place.put(&mut text));
        }
        Some(Sha256::digest(&text).into())
    }
}

/// What tells a body in canonical form, its weight, its summary and whether it is a wrapper from others.
fn digest(made: &Made) -> Key {
    let mut text = Vec::new();
    made.worker.is_some().put(&mut text);
    made.weight.put(&mut text);
    made.summary.put(&mut text);
    made.body.put(&mut text);
    Sha256::digest(&text).into()
}

/// The same of a worker.
fn worker_digest(worker: &Worker) -> Key {
    let mut text = Vec::new();
    worker.put(&mut text);
    Sha256::digest(&text).into()
}

/// Puts what is named in the place of the names in what was made; whether all names mean something.
fn restore(made: &mut Made, names: &Names, worker_names: &Names) -> bool {
    let worker = made.worker.as_mut();
    names.restore(&mut made.body)
        && worker.is_none_or(|worker| worker_names.restore(&mut worker.body))
}

/// A record, in the names of these inputs.
fn read(bytes: &[u8], inputs: &Names) -> Option<Told> {
    let mut record: Record = decode_value(bytes).ok()?;
    let names = Names::from_within(&record.places, inputs)?;
    let worker_names = Names::from_within(&record.worker_places, inputs)?;
    let complete = restore(&mut record.made, &names, &worker_names);
    let worker = record.worker_digest.map(|digest| Identity {
        digest,
        names: worker_names,
    });
    let digest = record.digest;
    complete.then_some((record.made, Some(Identity { digest, names }), worker))
}
