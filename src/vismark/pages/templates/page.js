"use strict";
(async () => {
  // Libraries lie in the page, gzipped; they become modules without asking the network.
  const load = async (name) => {
    const packed = atob(document.getElementById("library-" + name).textContent);
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = await new Response(stream).arrayBuffer();
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    try {
      return await import(url);
    } finally {
      URL.revokeObjectURL(url);
    }
  };

  const night = matchMedia("(prefers-color-scheme: dark)");
  const dress = () => document.documentElement.classList.toggle("dark", night.matches);
  night.addEventListener("change", dress);
  dress();

  const tables = document.querySelectorAll("table.sortable");
  if (tables.length) {
    const { default: DataTable } = await load("datatables");
    for (const table of tables) {
      new DataTable(table, {
        autoWidth: false,
        columnDefs: [{ targets: 0, type: "string" }],
        lengthMenu: [25, 100, { label: "all", value: -1 }],
        order: [],
        pageLength: 25,
      });
    }
  }

  const charts = document.querySelectorAll(".chart");
  if (charts.length) {
    await load("plotly");
    for (const chart of charts) {
      const figure = JSON.parse(document.getElementById(chart.dataset.figure).textContent);
      await Plotly.newPlot(chart, figure.data, figure.layout, { displayModeBar: false, responsive: true });
    }
  }
})();
