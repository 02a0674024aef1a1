//! Context of an explanation.

use tables::Tables;
use tables::wire::{RowCall, Wire};

/// Inputs of all parts of an explanation.
pub(super) struct Context<'t> {
    pub tables: &'t Tables,
    pub wire: &'t Wire,
    pub call: &'t RowCall,
}
