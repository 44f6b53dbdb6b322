# One image for every command: eventgraft serve, work, schema apply, events list …
FROM node:20-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM packages AS build
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN node_modules/.bin/tsc -p tsconfig.build.json && chmod +x dist/cli/main.js

FROM node:20-bookworm-slim
# Inside a container loopback is nobody's neighbour.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
# An eventgraft.config.ts goes in here too.
WORKDIR /app
RUN ln -s /app/dist/cli/main.js /usr/local/bin/eventgraft
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY cypher cypher
COPY package.json package-lock.json LICENSE ./
USER node
EXPOSE 8080
ENTRYPOINT ["eventgraft"]
CMD ["serve"]
