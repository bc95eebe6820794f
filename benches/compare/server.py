"""A server on 127.0.0.1 in a process of its own, so that its time is not the driver's."""

import asyncio, json, os, resource, signal, socket

from measure import ended, started


async def serve(listener, protocol, result):
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    await loop.create_server(protocol, sock=listener)
    await stopped.wait()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {**result(), "cpu": used.ru_utime + used.ru_stime}


class Server:
    """`protocol` makes an asyncio protocol for each connection; `result()` is what the process has to tell at its end."""

    def __init__(self, protocol, result):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listener.getsockname()[1]
        self.pipe, result_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            # What its parent has started is not its own.
            started.clear()
            try:
                with open(result_end, "w") as file:
                    json.dump(asyncio.run(serve(listener, protocol, result)), file)
            finally:
                # Nothing of the parent's is to be tidied up.
                os._exit(0)
        started.add(self.pid)
        os.close(result_end)
        listener.close()

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        with open(self.pipe) as file:
            found = json.load(file)
        os.waitpid(self.pid, 0)
        ended(self.pid)
        return found
