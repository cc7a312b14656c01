//! Scalar attributes as columns: which columns the resources of one type have, and what one resource
//! has in them. Pure; the tables are made by `store::fields`.

mod layout;
mod name;
mod read;

pub(crate) use layout::{Column, Layout, Scalar};
pub(crate) use name::{plain, unused};
pub(crate) use read::Cells;
