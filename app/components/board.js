// The board: a column per stage, a card per opportunity. A card is moved by dragging it, by its "Move to" choice, or by
// keyboard: Enter or Space picks it up, the arrows choose a stage, Enter puts it down, Escape puts it back.
// Whatever comes from the data is set as text, never as markup.

const boards = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const board = boards.get(parentElement) ?? { held: null, target: null }
  boards.set(parentElement, board)
  board.root = parentElement.querySelector(".board")
  board.says = parentElement.querySelector(".says")
  board.data = data
  board.tell = setTriggerValue
  if (board.held === null) draw(board) // a card in somebody's hand is not taken out of it
}

function draw(board) {
  const focused = board.root.getRootNode().activeElement?.dataset?.card
  board.root.replaceChildren(...board.data.columns.map((column) => drawnColumn(board, column)))
  if (focused) board.root.querySelector(`[data-card="${focused}"]`)?.focus()
}

function drawnColumn(board, column) {
  const node = made("section", `column ${column.kind}`)
  node.dataset.stage = column.id
  node.setAttribute("aria-label", `${column.name}, ${column.said}`)
  const head = made("header")
  const dot = made("span", "dot")
  dot.style.background = column.color
  head.append(dot, made("strong", "", column.name), made("span", "said", column.said))
  node.append(head, ...column.cards.map((card) => drawnCard(board, column, card)))
  if (column.note) node.append(made("p", "note", column.note))
  if (board.data.may_move) {
    node.ondragover = (event) => {
      event.preventDefault()
      aim(board, column.id)
    }
    node.ondragleave = (event) => {
      if (!node.contains(event.relatedTarget)) aim(board, null)
    }
    node.ondrop = (event) => {
      event.preventDefault()
      if (board.held) putDown(board, column.id)
    }
  }
  return node
}

function drawnCard(board, column, card) {
  const node = made("article", card.stalled ? "stalled" : "")
  node.dataset.card = card.id
  node.tabIndex = 0
  const name = made("button", "name", card.name)
  name.type = "button"
  name.onclick = () => board.tell("opened", { id: card.id })
  const facts = made("p", "facts")
  facts.append(made("strong", "", card.value), made("span", "", card.age))
  node.append(name, made("p", "organizer", card.organizer), facts, made("p", "owner", card.owner))
  node.setAttribute("aria-label", [card.name, card.organizer, card.value, `${card.age} in ${column.name}`].join(", "))
  if (!board.data.may_move) return node
  node.setAttribute("aria-roledescription", "card; press Enter to pick it up")
  node.draggable = true
  node.ondragstart = (event) => {
    event.dataTransfer.effectAllowed = "move"
    event.dataTransfer.setData("text/plain", card.name)
    pickUp(board, card, column.id, node)
  }
  node.ondragend = () => board.held && putBack(board)
  node.onkeydown = (event) => event.target === node && byKey(board, event, card, column.id, node)
  node.onblur = () => board.held?.node === node && !board.isDragged && putBack(board)
  node.append(choice(board, card, column))
  return node
}

function choice(board, card, column) {
  const select = made("select", "move")
  select.setAttribute("aria-label", `Move ${card.name} to`)
  const first = new Option("Move to …", "")
  select.append(first)
  for (const other of board.data.columns) if (other.id !== column.id) select.append(new Option(other.name, other.id))
  select.onchange = () => {
    const to = select.value
    select.value = ""
    if (to) board.tell("moved", { id: card.id, from: column.id, to })
  }
  return select
}

function byKey(board, event, card, from, node) {
  const isHeld = board.held?.node === node
  const columns = board.data.columns
  const at = columns.findIndex((column) => column.id === (board.target ?? from))
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault()
    if (!isHeld) {
      pickUp(board, card, from, node)
      say(board, `${card.name} is picked up. Choose a stage with the arrows, Enter puts it down, Escape puts it back.`)
    } else putDown(board, board.target ?? from)
  } else if (event.key === "Escape" && isHeld) {
    event.preventDefault()
    putBack(board)
    say(board, `${card.name} stays where it was.`)
  } else if (step && isHeld) {
    event.preventDefault()
    const to = columns[Math.min(Math.max(at + step, 0), columns.length - 1)]
    aim(board, to.id)
    say(board, `${to.name}, ${to.said}`)
  }
}

function pickUp(board, card, from, node) {
  board.held = { card, from, node }
  board.isDragged = !(node.matches(":focus") && node === node.getRootNode().activeElement)
  node.classList.add("held")
}

function putDown(board, to) {
  const { card, from } = board.held
  release(board)
  if (to !== from) {
    board.tell("moved", { id: card.id, from, to })
    say(board, `${card.name} is moved to ${board.data.columns.find((column) => column.id === to).name}.`)
  }
  draw(board)
}

function putBack(board) {
  release(board)
  draw(board)
}

function release(board) {
  board.held.node.classList.remove("held")
  board.held = null
  aim(board, null)
}

function aim(board, stage) {
  board.target = stage
  for (const column of board.root.children) column.classList.toggle("aimed", column.dataset.stage === stage)
}

function say(board, sentence) {
  board.says.textContent = sentence
}

function made(tag, name = "", text = "") {
  const node = document.createElement(tag)
  if (name.trim()) node.className = name.trim()
  if (text) node.textContent = text
  return node
}
