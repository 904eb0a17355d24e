// The types of what the page and the server say to each other, and of what the page keeps.

/** Bytes as base64. */
export type Bytes = string;
export type Value = number | string | boolean | null | number[];
export type Options = Record<string, Value>;

// The document: the only description of a network.

export interface Layer {
  id: string;
  type?: string;
  options?: Options;
  inputs: string[];
  shares?: string;
  part?: "generator" | "discriminator";
}
export interface Output {
  layer?: string;
  loss: string;
  metrics: string[];
  weight?: number;
}
export interface DataSpec {
  name: string;
  options: Options;
  upload?: string;
}
export interface Training {
  optimizer: { type: string; options: Options };
  epochs: number;
  batch_size: number;
  seed: number;
  engine: string;
  stop: { monitor: string; patience: number } | null;
}
export interface Net {
  version: 1;
  name: string;
  data: DataSpec;
  layers: Layer[];
  outputs: Record<string, Output>;
  training: Training;
  kind: "supervised" | "adversarial";
  weights?: string;
}

// What may be chosen.

export interface Field {
  name: string;
  kind: "integer" | "number" | "boolean" | "choice" | "integers" | "text";
  default: Value;
  required: boolean;
  low?: number | null;
  high?: number | null;
  choices?: (string | number)[] | null;
  text: string;
  optional: boolean;
  /** What a new layer begins with, where there is no default. */
  start?: Value;
  /** Whether it is asked for seldom. */
  more?: boolean;
  /** The layers inside that have it, of a layer that wraps another. */
  of?: string[] | null;
}
export interface LayerKind {
  type: string;
  group: string;
  text: string;
  fields: Field[];
  inputs: "one" | "several";
  shareable: boolean;
}
export interface OptimizerKind {
  type: string;
  text: string;
  fields: Field[];
}
export type TargetKind = "classes" | "number" | "input" | "binary";
export interface Named {
  name: string;
  text: string;
  for?: TargetKind[];
}
export interface Engine {
  name: string;
  version: string | null;
  installed: boolean;
  text: string;
}
export interface Catalog {
  layers: LayerKind[];
  optimizers: OptimizerKind[];
  losses: Named[];
  metrics: Named[];
  activations: Named[];
  engines: Engine[];
  limits: Record<string, number>;
}
export interface DataKind {
  name: string;
  title: string;
  text: string;
  group: string;
  fields: Field[];
  kind: "points" | "pictures" | "sequence" | "text" | "table" | "video";
  inputs: Signature["inputs"];
  targets: Signature["targets"];
}
export interface Target {
  kind: "classes" | "number" | "input";
  classes: string[] | null;
  shape: (number | null)[];
  of?: string;
}
export interface Signature {
  inputs: Record<string, { shape: (number | null)[]; dtype: string; text: string }>;
  targets: Record<string, Target>;
  train: number;
  test: number;
}
/** What was found in files of one's own. */
export interface Described {
  kind: "table" | "arrays" | "pictures" | "model";
  name: string;
  notes: string[];
  options: Options;
  fields: Field[];
  rows?: number;
  columns?: Column[];
  classes?: { name: string; count: number }[];
  arrays?: { name: string; shape: number[] }[];
}
export interface Column {
  name: string;
  kind: "number" | "category" | "text" | "empty";
  values: string[];
  different: number;
  missing: number;
  problem: string | null;
  fix: string | null;
}
export interface Preset {
  id: string;
  title: string;
  text: string;
  group: string;
  document: Net;
  steps?: string[];
}
export interface Start {
  catalog: Catalog;
  data: DataKind[];
  presets: Preset[];
  runs: Run[];
  server: string;
  opened: Net | null;
}

// What the checks say.

export interface Problem {
  layer: string | null;
  edge: [string, string] | null;
  field: string | null;
  message: string;
  fix: string | null;
  code: string | null;
}
export interface LayerReport {
  shape?: (number | null)[] | null;
  dtype?: string | null;
  parameters?: number;
  trainable?: number;
  error?: Problem | null;
}
export interface Report {
  ok: boolean;
  layers: Record<string, LayerReport>;
  problems: Problem[];
  parameters: number;
  activations: number;
  bytes: number;
}

// Runs and their events.

export interface Trouble {
  kind: "nan" | "exploding" | "memory" | "crash" | "error";
  title: string;
  text: string;
  fix: string;
  layer: string | null;
  step: number | null;
  details: string | null;
  /** The remedy as values of the training, where it is one. */
  change: { learning_rate?: number; batch_size?: number } | null;
}
export interface Run {
  id: string;
  name: string;
  engine: string;
  state: "starting" | "compiling" | "training" | "paused" | "done" | "stopped" | "failed";
  /** What was asked of it last of how training goes on. */
  asked: "play" | "pause" | "step" | "stop";
  /** Higher in what was told later, by an answer or an event. */
  number: number;
  epoch: number;
  epochs: number;
  step: number;
  steps_per_epoch: number;
  document: Net;
  trouble: Trouble | null;
  message: string | null;
  checkpoints: number[];
  seconds: number;
  metrics: string[];
  targets: Record<string, Target>;
  live?: boolean;
  history?: History;
  snapshot?: Snapshot | null;
}
export interface Point {
  epoch: number;
  step: number;
  logs: Record<string, number | null>;
  partial?: boolean;
}
export interface Progress {
  id: string;
  number: number;
  epoch: number;
  step: number;
  seconds: number;
  points: Point[];
}
export interface History {
  epoch: number[];
  step: number[];
  partial?: boolean[];
  logs: Record<string, (number | null)[]>;
}
export interface RunState extends Run {
  history: History;
  snapshot: Snapshot | null;
  colour: string | null;
}
export interface Picture {
  width: number;
  height: number;
  channels: 1 | 3;
  values: Bytes;
}
export interface BoundaryView {
  x: [number, number];
  y: [number, number];
  size: number;
  kind: "classes" | "number";
  values: Bytes;
  sure: Bytes | null;
  low: number;
  high: number;
  axes: [string, string];
}
export interface Neurons {
  count: number;
  size: number;
  values: Bytes;
  scale: number;
}
export interface ActivationLayer {
  id: string;
  shape: number[];
  kind: "maps" | "vector" | "sequence";
  count: number;
  height: number;
  width: number;
  scale: number;
  values: Bytes;
}
export interface Activations {
  sample: number;
  /** The sample, of each input that is a picture. */
  pictures: Record<string, Picture>;
  text?: string;
  target: string;
  predicted: string;
  probabilities: number[] | null;
  layers: ActivationLayer[];
}
export interface WeightView {
  layer: string;
  name: string;
  shape: number[];
  low: number;
  high: number;
  counts: number[];
  mean: number;
  std: number;
  zero: number;
  gradient: { low: number; high: number; counts: number[]; norm: number } | null;
  ratio: number | null;
}
export interface Wrong {
  index: number;
  true: string;
  predicted: string;
  sure: number;
  pictures: Record<string, Picture>;
  text: string | null;
}
export interface MatrixView {
  target: string;
  /** Those that are confused most, of so many. */
  classes: string[];
  of: number;
  counts: number[][];
  accuracy: number;
  samples: number;
  wrong: Wrong[];
}
export interface Snapshot {
  id: string;
  epoch: number;
  step: number;
  checkpoint: boolean;
  boundary?: BoundaryView | null;
  neurons?: Record<string, Neurons> | null;
  activations?: Activations | null;
  weights?: WeightView[] | null;
  matrix?: MatrixView | null;
  clusters?: { title: string; pictures: Picture[] } | null;
  pictures?: { title: string; pictures: Picture[] } | null;
}

// The page's state.

export type View = "layer" | "inside" | "weights" | "matrix" | "runs" | "code" | "learn";
export type Dialog = "palette" | "examples" | "home" | "keys" | "share" | null;
/** Where a new layer goes. */
export type Place = { after: string } | { before: string } | { edge: [string, string] };
export interface Notice {
  kind: "error" | "info";
  text: string;
  fix: string | null;
}
export interface State {
  document: Net;
  past: Net[];
  future: Net[];
  selected: string | null;
  report: Report | null;
  checked: Net | null;
  code: string | null;
  signature: Signature | null;
  preview: any;
  start: Start;
  runs: RunState[];
  shown: string | null;
  pinned: string[];
  connection: "connecting" | "open" | "lost" | "restarted";
  view: View;
  theme: "light" | "dark";
  sample: number;
  epoch: number | null;
  notice: Notice | null;
  dialog: Dialog;
  place: Place | null;
  busy: boolean;
}
export type Look = { sample?: number; layer?: string | null; views?: ("boundary" | "activations" | "weights" | "matrix")[] };
export type Actions = typeof import("./store.js").actions;
