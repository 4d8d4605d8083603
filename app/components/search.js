const pause = 120  // milliseconds without a key before the words are looked for
const shortest = 2  // letters
const onMac = /Mac|iPhone|iPad/.test(navigator.platform)

export default function ({ data, parentElement, setTriggerValue }) {
  const box = (parentElement.box ??= begin(parentElement))
  box.tell = setTriggerValue
  box.answer(data)
  return () => {
    // Streamlit takes the box away and puts it back with every page.
    document.removeEventListener("keydown", box.shortcut)
    parentElement.box = undefined
  }
}

function begin(place) {
  const [opener, dialog, input, found, said] = ["button", "dialog", "input", "#found", ".said"].map((part) =>
    place.querySelector(part),
  )
  let timer, at = 0
  const words = () => input.value.trim().replace(/\s+/g, " ")
  const links = () => [...found.querySelectorAll("a")]
  const box = { tell: () => {}, answer, shortcut }
  place.querySelector("kbd").textContent = onMac ? "⌘K" : "Ctrl K"

  function show() {
    if (!dialog.open) dialog.showModal()
    input.select()
  }

  function shortcut(event) {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault()
      show()
    }
  }

  function select(index) {
    const all = links()
    if (!all.length) return
    at = (index + all.length) % all.length
    all.forEach((link, each) => link.setAttribute("aria-selected", each === at))
    input.setAttribute("aria-activedescendant", all[at].id)
    all[at].scrollIntoView({ block: "nearest" })
  }

  function choose(link) {
    dialog.close()
    box.tell("chosen", { noun: link.dataset.noun, id: link.dataset.id })
  }

  function answer(data) {
    if (words().length < shortest) {
      found.replaceChildren()
      said.textContent = "Every word counts, in any order, also its beginning."
      return
    }
    if (data.words.length !== words().length || data.words !== words()) return  // of words that are no longer there
    const kept = data.step ? at : 0
    let number = 0
    found.replaceChildren(
      ...data.groups.map(({ title, links }) => {
        const group = document.createElement("div"), heading = document.createElement("h2")
        group.role = "group"
        group.ariaLabel = heading.textContent = title
        group.append(heading, ...links.map((link) => drawn(link, data.base, number++)))
        return group
      }),
    )
    if (number) select(Math.min(kept, number - 1))
    else input.removeAttribute("aria-activedescendant")
    said.textContent = data.more ? "Looking further …" : number ? `${number} found` : "Nothing that you may see holds these words."
    if (data.more) box.tell("asked", { words: words(), step: data.step + 1 })
  }

  function drawn({ address, noun, id, name, detail }, base, number) {
    const link = document.createElement("a"), title = document.createElement("b"), more = document.createElement("small")
    link.href = base + address
    link.id = `found-${number}`
    link.role = "option"
    link.tabIndex = -1
    Object.assign(link.dataset, { noun, id })
    title.textContent = name
    more.textContent = detail
    title.dir = more.dir = "auto"
    link.append(title, ...(detail ? [more] : []))
    return link
  }

  opener.onclick = show
  dialog.onclick = (event) => event.target === dialog && dialog.close()
  found.onclick = (event) => {
    const link = event.target.closest("a")
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return  // the browser's own: another tab or window
    event.preventDefault()
    choose(link)
  }
  input.oninput = () => {
    clearTimeout(timer)
    at = 0
    if (words().length < shortest) return answer({ words: "", groups: [] })
    timer = setTimeout(() => box.tell("asked", { words: words(), step: 0 }), pause)
  }
  input.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) select(at + step)
    else if (event.key === "Enter" && links().length) choose(links()[at])
    else return
    event.preventDefault()
  }
  document.addEventListener("keydown", shortcut)
  return box
}
