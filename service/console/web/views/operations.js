/** How the service stands: the project's work and store, its last hour, and how far each follower of the log is. */

import { bytes, state, time } from "../format.js";
import { problem, stateBadge } from "../parts.js";
import { RefreshedView } from "../refreshing.js";
import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";

const EVERY_MS = 5_000;
const CHART_HEIGHT = 20;

const STAGES = { stitch: "Stitching", transcribe: "Transcribing", note: "Writing notes" };

/** What a follower does, for people. */
const FOLLOWERS = {
  summaries: "Lists of recordings",
  note_orders: "Lists of summaries",
  ambient_sessions: "Lists of ambient sessions",
  search: "Search",
  usage: "Use of quotas",
  webhooks: "Webhooks",
  stitch: "Stitching",
  transcribe: "Transcribing",
  note: "Writing notes",
  note_order: "Writing summaries",
  erase: "Erasing what is deleted",
};

const USES = [
  ["bytes", "Stored", bytes],
  ["recordings", "Recordings", count],
  ["open_recordings", "Recordings that are open", count],
  ["waiting_notes", "Summaries that wait", count],
];

export class OperationsView extends RefreshedView {
  title = "Operations";
  #app;
  #told = null;

  constructor(app) {
    super(app, EVERY_MS);
    this.#app = app;
  }

  template() {
    if (this.#told === null) return this.problem ? problem(this.problem) : html`<p>Loading…</p>`;
    const told = this.#told;
    return html`
      ${problem(this.problem && `${this.problem} What is shown may be old; it is tried again.`)}
      <div class="panels">
        ${recordings(told.recordings)} ${stages(told.stages)} ${uses(told.usage)} ${lastHour(told.last_hour)}
        ${followers(told)}
      </div>
    `;
  }

  async load() {
    this.#told = await this.#app.api.get("/v1/operations", { signal: this.ended.signal });
  }
}

function recordings(counts) {
  const named = (status, number) => {
    if (number) return html`<a href="/console?status=${status}">${stateBadge(status)}</a>`;
    const { word, shape } = state(status);
    return html`<span class="state"><span aria-hidden="true">${shape}</span> ${word}</span>`;
  };
  const row = ([status, number]) => html`
    <tr><th scope="row">${named(status, number)}</th><td>${count(number)}</td></tr>
  `;
  return html`
    <section><h2>Recordings that are not done</h2>
      <table class="figures"><thead><tr><th scope="col">State</th><th scope="col">How many</th></tr></thead>
        <tbody>${Object.entries(counts).map(row)}</tbody></table>
    </section>
  `;
}

function stages(all) {
  const row = (stage) => html`
    <tr><th scope="row">${STAGES[stage.name] ?? stage.name}</th>
      <td>${count(stage.waiting)}${stage.is_whole ? "" : " or more"}</td><td>${count(stage.working)}</td></tr>
  `;
  return html`
    <section><h2>Work</h2>
      <table class="figures">
        <thead><tr><th scope="col">Stage</th><th scope="col">Waiting</th><th scope="col">Under way</th></tr></thead>
        <tbody>${all.map(row)}</tbody></table>
    </section>
  `;
}

function uses(usage) {
  const row = ([name, word, written]) => {
    const { used, limit } = usage[name];
    return html`
      <tr><th scope="row">${word}</th><td>${written(used)}</td>
        <td>${limit === null
          ? "no limit"
          : html`of ${written(limit)} <progress max=${limit} value=${used} aria-label="${word}, of the limit"></progress>`}</td></tr>
    `;
  };
  return html`
    <section><h2>Store</h2>
      <table class="figures"><thead><tr><th scope="col">What</th><th scope="col">Used</th><th scope="col">Limit</th></tr></thead>
        <tbody>${USES.map(row)}</tbody></table>
    </section>
  `;
}

function lastHour(minutes) {
  const chart = (name, word) => {
    const most = Math.max(1, ...minutes.map((minute) => minute[name]));
    const total = minutes.reduce((sum, minute) => sum + minute[name], 0);
    const bar = (minute, at) => {
      const height = (minute[name] / most) * CHART_HEIGHT;
      return svg`<rect x=${at + 0.1} y=${CHART_HEIGHT - height} width="0.8" height=${height}></rect>`;
    };
    const label = `${count(total)} ${word} in the last hour, at most ${count(Math.max(...minutes.map((one) => one[name])))} in a minute`;
    return html`
      <figure>
        <figcaption>${label}</figcaption>
        <svg class="chart" viewBox="0 0 ${minutes.length} ${CHART_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
          ${minutes.map(bar)}</svg>
        <p class="axis"><span>${time(minutes[0].at)}</span> <span>now</span></p>
      </figure>
    `;
  };
  return html`
    <section class="wide"><h2>Last hour</h2>
      <div class="charts">${chart("begun", "begun")} ${chart("uploaded", "uploaded")}</div>
    </section>
  `;
}

function followers(told) {
  const row = (one) => html`
    <tr><th scope="row">${FOLLOWERS[one.name] ?? one.name}</th><td>${count(one.position)}</td><td>${lag(one.lag)}</td></tr>
  `;
  return html`
    <section class="wide"><h2>Followers of the log</h2>
      <p class="lead">The log’s last event is number ${count(told.log_head)}. It is that of all projects.</p>
      <table class="figures">
        <thead><tr><th scope="col">Follower</th><th scope="col">Has come to</th><th scope="col">State</th></tr></thead>
        <tbody>${told.followers.map(row)} ${publisher(told.publisher)}</tbody></table>
    </section>
  `;
}

function publisher(one) {
  if (one === null) {
    return html`<tr><th scope="row">Kafka</th><td></td><td><span class="state">not published from here</span></td></tr>`;
  }
  const standing = one.is_held_up
    ? html`<span class="state bad"><span aria-hidden="true">✕</span> held up, ${count(one.lag)} events behind</span>`
    : lag(one.lag);
  return html`<tr><th scope="row">Kafka</th><td>${count(one.position)}</td><td>${standing}</td></tr>`;
}

function lag(events) {
  if (events === 0) return html`<span class="state good"><span aria-hidden="true">●</span> up to date</span>`;
  const words = events === 1 ? "1 event behind" : `${count(events)} events behind`;
  return html`<span class="state busy"><span aria-hidden="true">◔</span> ${words}</span>`;
}

function count(number) {
  return number.toLocaleString();
}
