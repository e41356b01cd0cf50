//! What the fixed-seed tests and the fuzz targets share: a generator of valid modules, mutations of
//! inputs, and the bodies of the targets.

pub(crate) mod random;
pub(crate) mod targets;
