//! A database of series as the evaluator reads it.

use model::{Labels, TenantId};
use promql::{Fold, MatchOp, SelectRequest, Selection, SeriesSource, SourceError, SourceSeries, Wanted};
use series::{Matcher, SeriesDb, SeriesSelection};

pub(crate) struct Source<'a>(pub(crate) &'a SeriesDb);

struct Opened(SeriesSelection);

impl Source<'_> {
    fn find(&self, request: &SelectRequest<'_>) -> Opened {
        let op = |op| match op {
            MatchOp::Equal => series::MatchOp::Equal,
            MatchOp::NotEqual => series::MatchOp::NotEqual,
            MatchOp::Regex => series::MatchOp::Regex,
            MatchOp::NotRegex => series::MatchOp::NotRegex,
        };
        let matcher =
            |matcher: &promql::Matcher| Matcher::new(&*matcher.name, op(matcher.op), matcher.pattern()).unwrap();
        let matchers: Vec<Matcher> = request.matchers.iter().map(matcher).collect();
        let selection = self.0.open_selection(&TenantId::default(), &matchers, request.start_ms, request.end_ms);
        let wanted = match request.wanted {
            Wanted::Count => series::Wanted::Count,
            Wanted::Sum => series::Wanted::Sum,
            Wanted::Min => series::Wanted::Min,
            Wanted::Max => series::Wanted::Max,
            Wanted::Counter => series::Wanted::Counter,
        };
        Opened(selection.wanting(wanted))
    }
}

impl SeriesSource for Source<'_> {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let opened = self.find(request);
        (0..opened.len())
            .map(|at| opened.read(at))
            .filter(|read| !matches!(read, Ok(series) if series.times.is_empty()))
            .collect()
    }

    fn open(&self, request: &SelectRequest<'_>) -> Result<Box<dyn Selection + '_>, SourceError> {
        Ok(Box::new(self.find(request)))
    }
}

impl Selection for Opened {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, at: usize) -> &Labels {
        self.0.labels(at)
    }

    fn samples_at_most(&self) -> usize {
        self.0.samples_at_most()
    }

    fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }

    fn read(&self, at: usize) -> Result<SourceSeries, SourceError> {
        let data = self.0.read(at).map_err(|error| SourceError(error.to_string()))?;
        let series::SeriesData { labels, times, values, histograms, starts, folds, resolution_ms } = data;
        let there = folds.iter().enumerate().filter(|(_, fold)| !fold.is_empty());
        let fold = |(at, fold): (usize, &series::Fold)| Fold {
            at,
            count: fold.count,
            resets: fold.resets,
            value: fold.figure(self.0.wanted()),
        };
        let folds = there.map(fold).collect();
        Ok(SourceSeries { labels, times, values, histograms, starts, folds, resolution_ms })
    }
}
