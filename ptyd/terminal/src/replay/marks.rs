use crate::cast::{Data, Event};
use crate::marker::Marker;

/// A marker of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Index of its event.
    pub event: usize,
    /// What it says, without control characters.
    pub marker: Marker,
}

/// All markers, in order.
pub fn marks(events: &[Event]) -> Vec<Mark> {
    let labels = events.iter().enumerate().filter_map(|(event, data)| match &data.data {
        Data::Marker(label) => Some((event, label)),
        _ => None,
    });
    labels
        .map(|(event, label)| {
            let label: String = label
                .chars()
                .map(|char| if char.is_control() { ' ' } else { char })
                .collect();
            Mark {
                event,
                marker: Marker::parse(&label),
            }
        })
        .collect()
}
