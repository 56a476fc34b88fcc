# The emulator in a container. See docs/testing.md, "In a container".
FROM python:3.13-slim

COPY pyproject.toml README.md /source/
COPY batchimg_magics /source/batchimg_magics
RUN pip install --no-cache-dir '/source[server]' && rm -r /source \
    && useradd --create-home emulator && install --directory --owner=emulator /tls

USER emulator
ENV BATCHIMG_STATE=:memory:
EXPOSE 8443
HEALTHCHECK --interval=5s --start-period=20s \
    CMD ["python", "-c", "import socket; socket.create_connection(('localhost', 8443), 5).close()"]
# --container: the port that Docker publishes does not lead to the loopback address of the container.
ENTRYPOINT ["batchimg", "emulator", "--container", "--certificates", "/tls"]
