# rails.ru: a real Action Cable server, with a channel written as Rails
# applications write theirs.  Its sessions are those of the extension, so that
# both servers speak of the same.
#
#   RAILS_DB  connection string of the database, as libpq has it
#   TOKENS    JSON: who comes with which token
#
# What it listens for with LISTEN is "session:<id>"; whoever runs it sends that.
require "json"
require "logger"
require "active_record"
require "action_dispatch"
require "action_cable"

database = ENV.fetch("RAILS_DB").split.to_h { |pair| pair.split("=", 2) }
ActiveRecord::Base.establish_connection(
  adapter: "postgresql", host: database["host"], username: database["user"], database: database["dbname"], pool: 20
)
TOKENS = JSON.parse(ENV.fetch("TOKENS"))

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    identified_by :owner

    def connect
      self.owner = TOKENS[request.params["token"]] || reject_unauthorized_connection
    end
  end
end

class SyncSession < ActiveRecord::Base
  self.table_name = "sync.sync_sessions"
  self.inheritance_column = nil

  def state
    JSON.parse(self.class.connection.select_value("SELECT payload FROM sync.sync_progress_snapshots(ARRAY['sync:#{id}'])"))
  end
end

class SyncStatusChannel < ActionCable::Channel::Base
  def subscribed
    session = find
    return reject unless session

    stream_from "session:#{session.id}"
    transmit session.state
  end

  def request_update
    transmit find.state
  end

  private

  def find
    SyncSession.find_by(id: params[:session_id], owner_id: owner)
  end
end

# Confirmed only once the adapter has done everything that was asked before.
class BarrierChannel < ActionCable::Channel::Base
  def subscribed
    stream_from "barrier:#{params[:n]}"
  end
end

server = ActionCable.server
server.config.logger = Logger.new($stderr, level: Logger::INFO)
server.config.cable = { adapter: "postgresql" }.with_indifferent_access
server.config.connection_class = -> { ApplicationCable::Connection }
server.config.allowed_request_origins = ["https://app.example"]
# One worker: commands are done in the order in which they come.
server.config.worker_pool_size = 1

run lambda { |env|
  case env["PATH_INFO"]
  when "/cable" then server.call(env)
  when "/restart"
    server.restart
    [200, { "Content-Type" => "text/plain" }, ["restarted"]]
  else [404, { "Content-Type" => "text/plain" }, ["Page not found"]]
  end
}
