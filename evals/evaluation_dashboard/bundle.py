"""The JavaScript of Vega, as one file that needs no network."""

SNIPPET = "window.vegaEmbed = vegaEmbed;"


def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed, with the interpreter that needs no ``eval``; about 0.9 MB."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(SNIPPET)
    return bundle
