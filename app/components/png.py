"""A chart as a PNG file, drawn by the browser: with its title, its filters and the as-of time, in its colours."""

from typing import Final

import streamlit as st

from app.components.export import Source

_STYLE: Final = """
button {
  box-sizing: border-box; width: 100%; min-height: 40px; padding: 4px 12px; cursor: pointer;
  font: 14px var(--st-font); color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
}
button:hover, button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
"""

_SCRIPT: Final = """
const scale = 2, margin = 24, line = 20

export default function ({ data, parentElement }) {
  parentElement.querySelector("button").onclick = async () => {
    const plot = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`)
    if (!plot) return
    const style = getComputedStyle(parentElement.querySelector("button"))
    const color = name => style.getPropertyValue(`--st-${name}`)
    const family = color("font"), faces = await fonts()
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d")
    const width = plot.clientWidth
    const below = wrapped(pen, `13px ${family}`, data.lines, width)
    const top = margin + 28, height = top + plot.clientHeight + 12 + below.length * line + margin / 2
    canvas.width = (width + 2 * margin) * scale
    canvas.height = height * scale
    pen.scale(scale, scale)
    pen.fillStyle = color("secondary-background-color")
    pen.fillRect(0, 0, width + 2 * margin, height)
    pen.fillStyle = color("text-color")
    pen.font = `600 20px ${family}`
    pen.fillText(data.title, margin, margin + 8)
    for (const svg of plot.querySelectorAll(".main-svg")) pen.drawImage(await image(svg, faces), margin, top)
    pen.font = `13px ${family}`
    below.forEach((text, row) => pen.fillText(text, margin, top + plot.clientHeight + 16 + row * line))
    const link = document.createElement("a")
    link.href = canvas.toDataURL("image/png")
    link.download = data.file
    link.click()
  }
}

async function image(svg, faces) {
  const copy = svg.cloneNode(true)
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg")
  copy.insertAdjacentHTML("afterbegin", `<style>${faces}</style>`)
  const picture = new Image()
  picture.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(copy))
  await picture.decode()
  return picture
}

// A picture made of SVG sees no fonts of the page: they go into it.
let loaded
const fonts = () => (loaded ??= load())

async function load() {
  const rules = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules])
  const faces = rules.filter(rule => rule instanceof CSSFontFaceRule && /^"?Source Sans"?$/.test(rule.style.fontFamily))
  return (await Promise.all(faces.map(async ({ style, parentStyleSheet }) => {
    const [, address] = /url\\("?([^")]+)/.exec(style.getPropertyValue("src")) ?? []
    if (!address || style.fontStyle === "italic") return ""
    const file = await (await fetch(new URL(address, parentStyleSheet.href ?? document.baseURI))).blob()
    const data = await new Promise(done => {
      const reader = new FileReader()
      reader.onload = () => done(reader.result)
      reader.readAsDataURL(file)
    })
    return `@font-face { font-family: "Source Sans"; font-weight: ${style.fontWeight || "normal"}; src: url(${data}) }`
  }))).join("")
}

function wrapped(pen, font, lines, width) {
  pen.font = font
  const rows = []
  for (const text of lines) {
    let row = ""
    for (const word of text.split(" ")) {
      if (row && pen.measureText(`${row} ${word}`).width > width) rows.push(row), (row = "")
      row = row ? `${row} ${word}` : word
    }
    rows.push(row)
  }
  return rows
}
"""
_button = st.components.v2.component("eventos_png", html="<button type='button'>PNG</button>\n", css=_STYLE, js=_SCRIPT)


def button(chart: str, source: Source, file_name: str, key: str) -> None:
    """A button that saves the chart within the element of that key."""
    lines = [source.filters, f"As of {source.as_of}"]
    _button(data={"chart": chart, "title": source.title, "lines": lines, "file": file_name}, key=key)
