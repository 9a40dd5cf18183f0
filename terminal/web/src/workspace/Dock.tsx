/** The panels in their places: dockview, with each panel drawn by Preact inside it. */

import {
  createDockview,
  type DockviewPanelApi,
  type GroupPanelPartInitParameters,
  type IContentRenderer,
} from 'dockview'
import { Component, render, type ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import { styleNonce } from '../ui/nonce'
import { Empty, ErrorNote } from '../ui/Notes'
import { open, restore } from './layout'
import { panelDefinition, setDock, type PanelParams } from './panels'
import { PanelTab } from './tab'

const THEME = { name: 'terminal', className: 'dockview-theme-terminal' }

export function DockHost() {
  const element = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const host = element.current
    if (!host) return undefined
    const nonce = styleNonce()
    const dock = createDockview(host, {
      theme: THEME,
      createComponent: ({ name }) => new PanelPart(name),
      createTabComponent: () => new PanelTab(),
      defaultTabComponent: 'tab',
      createWatermarkComponent: watermark,
      disableFloatingGroups: true,
      ...(nonce ? { nonce } : {}),
    })
    setDock({ open: (definition, params) => open(dock, definition, params) })
    const stop = restore(dock, host.clientWidth)
    return () => {
      stop()
      setDock(null)
      dock.dispose()
    }
  }, [])
  return <main ref={element} class="dock" aria-label="Workspace" />
}

function watermark() {
  const element = document.createElement('div')
  element.className = 'watermark'
  element.textContent = 'Open a panel from the menu above, or press Ctrl K.'
  return { element, init: () => undefined }
}

/** One panel's place in the dock. */
class PanelPart implements IContentRenderer {
  readonly element = document.createElement('div')

  constructor(private readonly name: string) {
    this.element.className = 'dock-panel'
  }

  init({ api, params }: GroupPanelPartInitParameters): void {
    render(<PanelFrame name={this.name} api={api} first={params as PanelParams} />, this.element)
  }

  dispose(): void {
    render(null, this.element)
  }
}

function PanelFrame({ name, api, first }: { name: string; api: DockviewPanelApi; first: PanelParams }) {
  const [params, setParams] = useState(first)
  useEffect(() => {
    const listening = api.onDidParametersChange((changed) => setParams(changed as PanelParams))
    return () => listening.dispose()
  }, [api])
  const definition = panelDefinition(name)
  if (!definition) return <Empty title="This panel is not there any more. Close it." />
  const Panel = definition.component
  return (
    <Guard>
      <Panel
        params={params}
        setParams={(change) => api.updateParameters({ ...change })}
        setTitle={(title) => api.setTitle(title)}
        close={() => api.close()}
      />
    </Guard>
  )
}

/** One panel's mistake must not take the others along. */
class Guard extends Component<{ children: ComponentChildren }, { error: unknown }> {
  override state = { error: null as unknown }

  override componentDidCatch(error: unknown): void {
    this.setState({ error })
  }

  override render(): ComponentChildren {
    const again = () => this.setState({ error: null })
    return this.state.error ? <ErrorNote error="This panel failed." onRetry={again} /> : this.props.children
  }
}

