/** The page's entry. */

import 'dockview/dist/styles/dockview.css'
import './styles/tokens.css'
import './styles/base.css'
import './styles/workspace.css'

import { render } from 'preact'

import { App } from './App'
import './panels'

const root = document.getElementById('app')
if (root) {
  root.replaceChildren() // what the template shows until here
  render(<App />, root)
}
