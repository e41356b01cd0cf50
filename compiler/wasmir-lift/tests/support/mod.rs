//! What several tests and the fuzz targets share.

pub(crate) mod targets;
