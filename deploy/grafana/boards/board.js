// What all boards are made of. Grafana's own builders see to the format.
import { ThresholdsConfigBuilder, DashboardBuilder, DashboardLinkBuilder, DatasourceVariableBuilder, QueryVariableBuilder, RowBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { ThresholdsMode, DashboardCursorSync, VariableHide, VariableRefresh, VariableSort } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as GraphBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { ReduceDataOptionsBuilder, VizLegendOptionsBuilder, VizTooltipOptionsBuilder } from "@grafana/grafana-foundation-sdk/common";
import { BigValueGraphMode, LegendDisplayMode, LegendPlacement, SortOrder, TooltipDisplayMode } from "@grafana/grafana-foundation-sdk/common";

const SOURCE = { type: "prometheus", uid: "${source}" };

/**
 * A board with its rows of panels.
 * @param {string} uid
 * @param {string} title
 * @param {string} about
 * @param {Array<[string, Array<StatBuilder | GraphBuilder>]>} rows
 * @param {QueryVariableBuilder[]} more variables besides the data source and the server
 */
export function board(uid, title, about, rows, more = []) {
  const made = new DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags(["zongzi"])
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh("10s")
    .tooltip(DashboardCursorSync.Crosshair)
    .link(new DashboardLinkBuilder("Zongzi").tags(["zongzi"]).asDropdown(true).keepTime(true))
    .withVariable(new DatasourceVariableBuilder("source").label("Prometheus").type("prometheus").hide(VariableHide.HideVariable))
    .withVariable(choice("instance", "Server", "label_values(zongzi_build_info, instance)"));
  for (const variable of more) made.withVariable(variable);
  for (const [name, panels] of rows) {
    made.withRow(new RowBuilder(name));
    for (const panel of panels) made.withPanel(panel);
  }
  return made;
}

/**
 * A variable whose values Prometheus knows; all of them at first.
 * @param {string} name
 * @param {string} label
 * @param {string} query
 */
export function choice(name, label, query) {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .includeAll(true)
    .multi(true)
    .allValue(".*")
    .current({ text: "All", value: "$__all" });
}

/**
 * One number as it is now.
 * @param {string} title
 * @param {string} about
 * @param {string} unit
 * @param {string} expr
 * @param {Array<[number | null, string]>} [steps] from which value on it has which colour
 */
export function number(title, about, unit, expr, steps = [[null, "blue"]]) {
  return new StatBuilder()
    .title(title)
    .description(about)
    .datasource(SOURCE)
    .unit(unit)
    .span(4)
    .height(4)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .thresholds(
      new ThresholdsConfigBuilder()
        .mode(ThresholdsMode.Absolute)
        .steps(steps.map(([value, color]) => ({ value, color }))),
    )
    .withTarget(query(expr, title));
}

/**
 * Lines over time.
 * @param {string} title
 * @param {string} about
 * @param {string} unit
 * @param {Record<string, string>} lines legend → expression
 */
export function graph(title, about, unit, lines) {
  const made = new GraphBuilder()
    .title(title)
    .description(about)
    .datasource(SOURCE)
    .unit(unit)
    .min(0)
    .span(8)
    .height(8)
    .fillOpacity(8)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom).showLegend(true));
  for (const [legend, expr] of Object.entries(lines)) made.withTarget(query(expr, legend));
  return made;
}

/** @param {string} expr @param {string} legend */
function query(expr, legend) {
  return new DataqueryBuilder().datasource(SOURCE).expr(expr).legendFormat(legend).range();
}

/**
 * The sum of a gauge over the chosen servers.
 * @param {string} name
 * @param {string} [labels]
 */
export function sum(name, labels = "") {
  return `sum(${of(name, labels)})`;
}

/**
 * The sum of a counter's rate over the chosen servers.
 * @param {string} name
 * @param {string} [labels]
 */
export function rate(name, labels = "") {
  return `sum(rate(${of(name, labels)}[$__rate_interval]))`;
}

/**
 * The same by one label.
 * @param {string} label
 * @param {string} name
 * @param {string} [labels]
 */
export function rateBy(label, name, labels = "") {
  return `sum by (${label}) (rate(${of(name, labels)}[$__rate_interval]))`;
}

/**
 * A quantile of a histogram, of all chosen servers together.
 * @param {number} quantile
 * @param {string} name without _bucket
 * @param {string} [by] a label to keep
 */
export function quantile(quantile, name, by = "") {
  const labels = by ? `le, ${by}` : "le";
  return `histogram_quantile(${quantile}, sum by (${labels}) (rate(${of(`${name}_bucket`)}[$__rate_interval])))`;
}

/**
 * A metric of the chosen servers.
 * @param {string} name
 * @param {string} [labels]
 */
export function of(name, labels = "") {
  return `${name}{instance=~"$instance"${labels ? `, ${labels}` : ""}}`;
}

/** Share of packets that viewers report lost. */
export const LOST = `${rate("zongzi_relay_reported_lost_packets_total")} / ${rate("zongzi_relay_reported_packets_total")}`;
