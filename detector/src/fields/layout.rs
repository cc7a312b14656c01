//! The columns of one resource type. They are only ever added, and their types only ever widened, so
//! that the order in which resources come decides nothing but the order of the columns.

use hashbrown::{HashMap, HashSet};

use super::name::{plain, unused};

/// At most so many columns a type; what comes later is in `attributes` alone.
const COLUMNS: usize = 300;

/// The columns that every type has, which no attribute takes the names of.
const HEADS: [&str; 15] = [
    "key",
    "provider",
    "account",
    "region",
    "type",
    "id",
    "name",
    "arn",
    "status",
    "tags",
    "created_at",
    "monthly_cost_usd",
    "valid_from",
    "first_seen",
    "resource_id",
];

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Boolean,
    Bigint,
    Double,
    Varchar,
}

impl Scalar {
    const ALL: [Self; 4] = [Self::Boolean, Self::Bigint, Self::Double, Self::Varchar];

    /// DuckDB's name of it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Bigint => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Varchar => "VARCHAR",
        }
    }

    /// Reads DuckDB's name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scalar| scalar.as_str() == text)
    }

    /// What holds both.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            (Self::Bigint, Self::Double) | (Self::Double, Self::Bigint) => Self::Double,
            _ => Self::Varchar,
        }
    }
}

/// One attribute as a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// A JSON Pointer into `attributes`.
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) scalar: Scalar,
}

/// The columns of one resource type, and what has become of them since they were stored.
#[derive(Debug)]
pub(crate) struct Layout {
    columns: Vec<Column>,
    /// The types of the stored columns, which are the first ones.
    stored: Vec<Scalar>,
    /// Names in lower case.
    taken: HashSet<String>,
    places: Vec<Place>,
}

/// A place within `attributes`; the first one is the whole.
#[derive(Debug, Default)]
struct Place {
    path: String,
    /// Of its keys.
    name: String,
    children: HashMap<Box<str>, usize>,
    column: Option<usize>,
}

impl Layout {
    /// The layout as it is stored.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let names = columns.iter().map(|column| column.name.to_ascii_lowercase());
        let mut layout = Self {
            stored: columns.iter().map(|column| column.scalar).collect(),
            taken: HEADS.iter().map(|name| (*name).to_owned()).chain(names).collect(),
            places: vec![Place::default()],
            columns: Vec::new(),
        };
        for (number, column) in columns.iter().enumerate() {
            let keys = column.path.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
            let place = keys.fold(0, |place, key| layout.child(place, &key));
            layout.places[place].column = Some(number);
        }
        Self { columns, ..layout }
    }

    /// All columns, in order.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Columns that are not stored yet, with their places in the order, from 0.
    pub(crate) fn added(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().skip(self.stored.len())
    }

    /// Stored columns that hold more now, with what they held.
    pub(crate) fn widened(&self) -> impl Iterator<Item = (&Column, Scalar)> {
        let stored = self.columns.iter().zip(self.stored.iter().copied());
        stored.filter(|(column, scalar)| column.scalar != *scalar)
    }

    /// Whether it is not as it is stored.
    pub(crate) fn has_changed(&self) -> bool {
        self.added().next().is_some() || self.widened().next().is_some()
    }

    /// The place of a key within the place of an object.
    pub(super) fn child(&mut self, parent: usize, key: &str) -> usize {
        if let Some(place) = self.places[parent].children.get(key) {
            return *place;
        }
        let Place { path, name, .. } = &self.places[parent];
        let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        let name = if parent == 0 { plain(key) } else { format!("{name}_{}", plain(key)) };
        self.places.push(Place { path, name, ..Place::default() });
        let place = self.places.len() - 1;
        self.places[parent].children.insert(key.into(), place);
        place
    }

    /// The column of a place, made or widened so that it holds a value; `None` when there are too many.
    pub(super) fn column(&mut self, place: usize, scalar: Scalar) -> Option<usize> {
        let place = &mut self.places[place];
        if let Some(number) = place.column {
            let column = &mut self.columns[number];
            column.scalar = column.scalar.or(scalar);
        } else if self.columns.len() < COLUMNS {
            place.column = Some(self.columns.len());
            let name = unused(&place.name, &mut self.taken);
            self.columns.push(Column { path: place.path.clone(), name, scalar });
        }
        place.column
    }
}
