/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="depth" />
}

registerPanel({ id: 'depth', title: 'Depth', icon: 'depth', component: Panel })
