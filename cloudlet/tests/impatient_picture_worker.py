"""The worker process for pictures with less CPU time, so that a test of the limit need not wait 10 seconds."""

from cloudlet.media.worker_pool import serve
from cloudlet.pictures.worker import MEMORY_BYTES, answer

CPU_SECONDS = 0.3

if __name__ == "__main__":
    serve(answer, memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)
