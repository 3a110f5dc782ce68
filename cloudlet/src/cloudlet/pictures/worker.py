"""The worker process for images: `python -m cloudlet.pictures.worker FD`."""

import io
import pickle
from collections.abc import Callable
from typing import Any

from cloudlet.errors import ApiError
from cloudlet.media.worker_pool import Reply, serve
from cloudlet.pictures import Source, analysis, composing
from cloudlet.transformations import MissingLayerError, TransformationError, UnreadableSourceError, render

MEMORY_BYTES = 3 * 1024**3 // 2
CPU_SECONDS = 10.0


def transform(source: Source, layers: dict[Any, Source], **options: Any) -> Reply:
    def load(layer: Any) -> bytes:
        return composing.read(layers[layer])

    made = render(composing.read(source), load_layer=load, **options)
    return {"format": made.format, "width": made.width, "height": made.height}, made.content


def analyse(source: Source, wanted: list[str]) -> Reply:
    return {"found": analysis.analyse_file(io.BytesIO(composing.read(source)), wanted)}, b""


OPERATIONS: dict[str, Callable[..., Reply]] = {
    "transform": transform,
    "analyse": analyse,
    "sheet": composing.sheet,
    "animation": composing.animation,
}


def answer(request: bytes) -> Reply:
    """Handle a request. It is trusted, because the server wrote it, but the files that it refers to are not."""
    operation, arguments = pickle.loads(request)  # noqa: S301 - the server pickled it
    try:
        return OPERATIONS[operation](**arguments)
    except FileNotFoundError:
        return {"error": "gone"}, b""
    except (TransformationError, UnreadableSourceError, MissingLayerError, LookupError) as error:
        return {"error": "refused", "message": str(error)}, b""
    except ApiError as error:
        return {"error": "refused", "message": error.message}, b""
    except MemoryError:
        return {"error": "refused", "message": "it took too much memory"}, b""


if __name__ == "__main__":
    serve(answer, memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)
