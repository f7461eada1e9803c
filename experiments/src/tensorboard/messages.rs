//! The messages of an event file, built from plain values.

use protobuf::{Message, RepeatedField, SingularPtrField, well_known_types::Value};
use tensorboard_proto::{
    api::{DataType as HParamType, Experiment, HParamInfo, MetricInfo, Status},
    event::{Event, SessionLog, SessionLog_SessionStatus},
    plugin_hparams::{HParamsPluginData, SessionEndInfo, SessionStartInfo},
    summary::{HistogramProto, Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData},
    tensor::TensorProto,
    tensor_shape::{TensorShapeProto, TensorShapeProto_Dim},
    types::DataType,
};

use super::HParam;

const BUCKETS: usize = 30;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It completed.
    Success,
    /// It ended with an error.
    Failure,
}

/// The first event of every file.
pub(super) fn file_version() -> Event {
    let mut event = Event::new();
    event.set_file_version("brain.Event:2".to_owned());
    event
}

/// A session start: TensorBoard discards the events of older files from its step on.
pub(super) fn session_start() -> Event {
    let mut log = SessionLog::new();
    log.set_status(SessionLog_SessionStatus::START);
    let mut event = Event::new();
    event.set_session_log(log);
    event
}

/// An event that contains one value.
pub(super) fn summary(value: Summary_Value) -> Event {
    let mut summary = Summary::new();
    summary.value.push(value);
    let mut event = Event::new();
    event.set_summary(summary);
    event
}

pub(super) fn scalar(tag: &str, value: f64) -> Summary_Value {
    let mut message = tagged(tag);
    #[expect(clippy::cast_possible_truncation, reason = "the format has single precision")]
    message.set_simple_value(value as f32);
    message
}

/// A histogram of 30 buckets of equal width, or of one bucket if all values are equal; `None` without
/// a finite value.
pub(super) fn histogram(tag: &str, values: &[f64]) -> Option<Summary_Value> {
    #[expect(clippy::cast_possible_truncation, reason = "TensorBoard shows single precision")]
    let finite = values.iter().map(|&value| value as f32).filter(|value| value.is_finite());
    let values: Vec<f64> = finite.map(f64::from).collect();
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;

    let buckets = if least < most { BUCKETS } else { 1 };
    let width = (most - least) / buckets as f64;
    let mut counts = vec![0.0; buckets];
    for value in &values {
        let bucket = if width > 0.0 { ((value - least) / width) as usize } else { 0 };
        counts[bucket.min(buckets - 1)] += 1.0;
    }
    let inner = (1..buckets).map(|edge| least + width * edge as f64);

    let mut histogram = HistogramProto::new();
    histogram.set_min(least);
    histogram.set_max(most);
    histogram.set_num(values.len() as f64);
    histogram.set_sum(values.iter().sum());
    histogram.set_sum_squares(values.iter().map(|value| value * value).sum());
    histogram.set_bucket_limit(inner.chain([most]).collect());
    histogram.set_bucket(counts);
    let mut message = tagged(tag);
    message.set_histo(histogram);
    Some(message)
}

/// A text. The content of the text plugin is the version number 0, whose encoding is empty.
pub(super) fn text(tag: &str, text: &str) -> Summary_Value {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(TensorShapeProto::new());
    tensor.string_val.push(text.as_bytes().to_vec());
    plugin_value(tag, "text", Vec::new(), tensor)
}

/// The columns of the table of runs, in their order.
pub(super) fn experiment(hparams: &[(String, HParam)], metrics: &[&str]) -> (Tag, HParamsPluginData) {
    let mut experiment = Experiment::new();
    experiment.hparam_infos = RepeatedField::from_iter(hparams.iter().map(|(name, value)| {
        let mut info = HParamInfo::new();
        info.set_name(name.clone());
        info.set_field_type(match stored(value) {
            HParam::Number(_) => HParamType::DATA_TYPE_FLOAT64,
            HParam::Flag(_) => HParamType::DATA_TYPE_BOOL,
            HParam::Text(_) => HParamType::DATA_TYPE_STRING,
        });
        info
    }));
    experiment.metric_infos = RepeatedField::from_iter(metrics.iter().map(|tag| {
        let mut info = MetricInfo::new();
        info.mut_name().set_tag((*tag).to_owned());
        info
    }));
    let mut data = HParamsPluginData::new();
    data.set_experiment(experiment);
    ("_hparams_/experiment", data)
}

/// The values of this run in the columns; `started` is in seconds since 1970.
pub(super) fn session_info(hparams: &[(String, HParam)], started: f64) -> (Tag, HParamsPluginData) {
    let mut info = SessionStartInfo::new();
    info.set_start_time_secs(started);
    for (name, value) in hparams {
        let mut message = Value::new();
        match stored(value) {
            HParam::Number(number) => message.set_number_value(number),
            HParam::Flag(flag) => message.set_bool_value(flag),
            HParam::Text(text) => message.set_string_value(text),
        }
        info.hparams.insert(name.clone(), message);
    }
    let mut data = HParamsPluginData::new();
    data.set_session_start_info(info);
    ("_hparams_/session_start_info", data)
}

/// The outcome of this run; `ended` is in seconds since 1970.
pub(super) fn session_end(outcome: Outcome, ended: f64) -> (Tag, HParamsPluginData) {
    let mut info = SessionEndInfo::new();
    info.set_end_time_secs(ended);
    info.set_status(match outcome {
        Outcome::Success => Status::STATUS_SUCCESS,
        Outcome::Failure => Status::STATUS_FAILURE,
    });
    let mut data = HParamsPluginData::new();
    data.set_session_end_info(info);
    ("_hparams_/session_end_info", data)
}

/// A tag of the hyper-parameter plugin.
pub(super) type Tag = &'static str;

/// An event for the hyper-parameter plugin, which stores its data beside an empty tensor.
pub(super) fn hparams_event((tag, data): (Tag, HParamsPluginData)) -> Event {
    let mut shape = TensorShapeProto::new();
    shape.dim.push(TensorShapeProto_Dim::new());
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_FLOAT);
    tensor.set_tensor_shape(shape);
    // Writing to memory fails only if a required field is missing, and proto3 has none.
    let content = data.write_to_bytes().unwrap_or_default();
    summary(plugin_value(tag, "hparams", content, tensor))
}

/// The value as it is stored: numbers that are not finite become text, because TensorBoard sends JSON.
fn stored(value: &HParam) -> HParam {
    match value {
        HParam::Number(number) if !number.is_finite() => HParam::Text(number.to_string()),
        other => other.clone(),
    }
}

fn plugin_value(tag: &str, plugin: &str, content: Vec<u8>, tensor: TensorProto) -> Summary_Value {
    let mut data = SummaryMetadata_PluginData::new();
    data.set_plugin_name(plugin.to_owned());
    data.set_content(content);
    let mut metadata = SummaryMetadata::new();
    metadata.plugin_data = SingularPtrField::some(data);
    let mut value = tagged(tag);
    value.set_metadata(metadata);
    value.set_tensor(tensor);
    value
}

fn tagged(tag: &str) -> Summary_Value {
    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    value
}
