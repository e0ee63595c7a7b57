//! Series that someone knows already.

use model::Labels;

/// Where decoders ask for the labels of a series before they make them. Most samples are of a series that has many already: finding
/// its labels costs a part of what checking, sorting and allocating them anew costs.
pub trait KnownSeries {
    /// The labels with just these pairs, in this order, if they are known.
    fn labels(&mut self, pairs: &[(&[u8], &[u8])]) -> Option<Labels>;

    /// The labels that these bytes of a request stand for, if that was learned.
    fn labels_of_form(&mut self, bytes: &[u8]) -> Option<Labels> {
        let _ = bytes;
        None
    }

    /// Is told which bytes of a request stand for labels that [`Self::labels`] gave.
    fn learn_form(&mut self, bytes: &[u8], labels: &Labels) {
        let _ = (bytes, labels);
    }
}

/// Knows no series.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSeries;

impl KnownSeries for NoSeries {
    fn labels(&mut self, _: &[(&[u8], &[u8])]) -> Option<Labels> {
        None
    }
}
